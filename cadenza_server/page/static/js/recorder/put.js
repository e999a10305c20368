// PUT bytes to a signed URL, with progress, which only XMLHttpRequest tells of.

// The browser sends these itself and refuses to have them set.
const OWN_HEADERS = new Set(["content-length", "host"]);

export class PutError extends Error {
  /** @param {number} status 0 when there was no answer. */
  constructor(status) {
    super(status ? `the store answered ${status}` : "the store did not answer");
    this.status = status;
  }
}

export function putBlob(url, headers, blob, onProgress = () => {}, makeRequest = () => new XMLHttpRequest()) {
  return new Promise((resolve, reject) => {
    const request = makeRequest();
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers ?? {})) {
      if (!OWN_HEADERS.has(name.toLowerCase())) request.setRequestHeader(name, value);
    }
    request.upload.onprogress = (event) => onProgress(event.loaded, blob.size);
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(new PutError(request.status));
    };
    request.onerror = request.ontimeout = request.onabort = () => reject(new PutError(0));
    request.send(blob);
  });
}
