/** Files of one account of one host; the contracts are those of `Session.put` and `Session.get`. */
export interface FileStore {
  put(file: { path: string; bytes: Uint8Array; mode: number }, signal: AbortSignal): Promise<void>;
  get(path: string, limit: { maxBytes: number; signal: AbortSignal }): Promise<Uint8Array>;
}
