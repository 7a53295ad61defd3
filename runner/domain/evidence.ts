/** Bytes in the evidence store, named by what they are: lower-case hex SHA-256 of the stored (redacted) bytes. */
export type EvidenceRef = { readonly sha256: string; readonly bytes: number; readonly mediaType: string };
