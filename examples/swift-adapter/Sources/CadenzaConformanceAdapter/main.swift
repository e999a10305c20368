// Reads one JSON object a line from standard input and answers with one: docs/spec/formats.md.
// Fill in the three places marked TODO with calls into the app's upload package.
import Foundation

/// What the app's upload package has to offer. Make the real queue conform to it.
protocol UploadClient: AnyObject {
    /// Copies the file durably and writes the row; touches no network (REC-1, REC-2).
    /// Returns the copy's path relative to the state directory (REC-5).
    func enqueue(_ recording: NewRecording) throws -> String
    func start() throws
    func stop()
    /// recording → what is known of it.
    func status() -> [String: RecordingStatus]
    func signIn(token: String, userID: Int)
}

struct NewRecording: Decodable {
    let recording: String
    let path: String
    let pieceId: String
    let durationSeconds: Int
    let width: Int
    let height: Int
    let capturedAt: Date
    let thumbnailPath: String?
}

struct RecordingStatus: Encodable {
    let state: String  // pending, uploading, uploaded, failed
    var stage: String?
    var attempt: Int?
    var hold: String?
    var failCode: String?
    var localFile = "unknown"
}

struct Configuration: Decodable {
    struct Account: Decodable { let userId: Int }
    let api: URL
    let storageHosts: [String]
    let token: String
    let account: Account
    let stateDir: String
    let profile: String  // fast: back-off 50 ms … 1 s, silence 1 s, answers 2 s
}

struct SignIn: Decodable {
    struct Account: Decodable { let userId: Int }
    let token: String
    let account: Account
}

struct Command: Decodable { let cmd: String }

struct Reply: Encodable {
    var ok = true
    var error: String?
    var client: String?
    var version: String?
    var capabilities: [String]?
    var localPath: String?
    var recordings: [String: RecordingStatus]?
    var text: String?
}

// TODO 1: only what is true. Each capability switches on scenarios.
let capabilities = ["enqueue", "status", "start_stop", "kill", "state_dir", "relocate_state"]

let decoder = JSONDecoder()
decoder.keyDecodingStrategy = .convertFromSnakeCase
decoder.dateDecodingStrategy = .iso8601
let encoder = JSONEncoder()
encoder.keyEncodingStrategy = .convertToSnakeCase

var client: UploadClient?

func makeClient(_ configuration: Configuration) throws -> UploadClient {
    // TODO 2: the app's queue, in `stateDir`, against `api`, with the timings of `profile`.
    throw NSError(domain: "adapter", code: 1, userInfo: [NSLocalizedDescriptionKey: "not written"])
}

func answer(_ line: Data) throws -> Reply {
    var reply = Reply()
    switch try decoder.decode(Command.self, from: line).cmd {
    case "hello":
        reply.client = "cadenza-ios"
        reply.version = "1.0"  // TODO 3: the app's version
        reply.capabilities = capabilities
    case "configure":
        client = try makeClient(decoder.decode(Configuration.self, from: line))
    case "enqueue":
        reply.localPath = try client?.enqueue(decoder.decode(NewRecording.self, from: line))
    case "start":
        try client?.start()
    case "stop":
        client?.stop()
    case "status":
        reply.recordings = client?.status() ?? [:]
    case "sign_in":
        let given = try decoder.decode(SignIn.self, from: line)
        client?.signIn(token: given.token, userID: given.account.userId)
    case "logs":
        reply.text = ""  // what OSLogStore has, at its most talkative
    case let other:
        reply.ok = false
        reply.error = "unknown command \(other)"
    }
    return reply
}

while let line = readLine(strippingNewline: true) {
    var reply: Reply
    do {
        reply = try answer(Data(line.utf8))
    } catch {
        reply = Reply(ok: false, error: error.localizedDescription)
    }
    var data = try encoder.encode(reply)
    data.append(0x0A)
    FileHandle.standardOutput.write(data)
}
client?.stop()
