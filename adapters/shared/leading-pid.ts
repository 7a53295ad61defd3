/** What a login shell's start-up files may print before the command is given up as never started. */
const noiseCap = 64 * 1024;

/** Takes the line with the process id (see `execLine`) out of a stream; what comes before it is not the command's. */
export class LeadingPid {
  readonly #line: RegExp;
  #waiting: Buffer = Buffer.alloc(0);
  #pid: number | undefined;

  /** `token`: letters and digits, as in the line. */
  constructor(token: string) {
    this.#line = new RegExp(`${token}-(\\d{1,10})\\n`);
  }

  get pid(): number | undefined {
    return this.#pid;
  }

  /** What was read while no process id had come: says why a command did not start. */
  get before(): Uint8Array {
    return this.#waiting;
  }

  /** Returns the part of `chunk` that the command itself wrote. */
  strip(chunk: Uint8Array): Uint8Array {
    if (this.#pid !== undefined) return chunk;
    this.#waiting = Buffer.concat([this.#waiting, chunk]);
    const text = this.#waiting.toString('latin1');
    const line = this.#line.exec(text);
    if (line === null) {
      if (this.#waiting.length > noiseCap) this.#waiting = this.#waiting.subarray(-noiseCap / 2);
      return new Uint8Array();
    }
    this.#pid = Number(line[1]);
    return this.#waiting.subarray(line.index + line[0].length);
  }
}
