// swift-tools-version: 5.9
import PackageDescription

let package = Package(
    name: "CadenzaConformanceAdapter",
    platforms: [.macOS(.v13)],
    dependencies: [
        // The app's own upload package: the same code that ships, with URLSession.default in place
        // of the background session.
        // .package(path: "../CadenzaUploads"),
    ],
    targets: [
        .executableTarget(
            name: "CadenzaConformanceAdapter",
            dependencies: [
                // .product(name: "CadenzaUploads", package: "CadenzaUploads"),
            ]
        )
    ]
)
