// The delete gate of this device's copy: the same rule as the uploader's queue.

/** Whether the receipt proves that the server has exactly what was recorded here. */
export function mayDelete(receipt, item) {
  if (!receipt || receipt.asset_id !== item.id) return false;
  if (receipt.size_bytes !== item.blob.size) return false;
  // Without a secure context no hash can be made here, and the size has to do.
  return item.sha256 === null || receipt.sha256 === item.sha256;
}

/** SHA-256 in hex; null where the page has no right to compute it (plain http, not localhost). */
export async function sha256Hex(blob, subtle = globalThis.crypto?.subtle) {
  if (!subtle) return null;
  const digest = await subtle.digest("SHA-256", await blob.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
