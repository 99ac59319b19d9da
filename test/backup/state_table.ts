/** Rows of whole numbers, each once, in the order in which they were met; made for millions of them. */
export class StateTable {
  size = 0;
  private rows: Int32Array;
  /** Row and actor that led to a row. */
  private origins: Int32Array;
  private slots: Int32Array;
  private capacity = 1 << 14;

  constructor(private readonly width: number) {
    this.rows = new Int32Array(this.capacity * width);
    this.origins = new Int32Array(this.capacity * 2);
    this.slots = new Int32Array(this.capacity * 2).fill(-1);
  }

  /** Copies a row. */
  read(row: number, into: Int32Array): void {
    into.set(this.rows.subarray(row * this.width, (row + 1) * this.width));
  }

  originOf(row: number): { from: number; actor: number } {
    return { from: this.origins[row * 2]!, actor: this.origins[row * 2 + 1]! };
  }

  /** Adds a row; false when it is there already. */
  add(state: Int32Array, origin: { from: number; actor: number }): boolean {
    const slot = this.find(state);
    if (this.slots[slot]! >= 0) return false;
    if (this.size === this.capacity) {
      this.grow();
      return this.add(state, origin);
    }
    this.slots[slot] = this.size;
    this.rows.set(state, this.size * this.width);
    this.origins[this.size * 2] = origin.from;
    this.origins[this.size * 2 + 1] = origin.actor;
    this.size++;
    return true;
  }

  private find(state: Int32Array): number {
    const mask = this.slots.length - 1;
    for (let slot = hash(state) & mask;; slot = (slot + 1) & mask) {
      const row = this.slots[slot]!;
      if (row < 0 || this.equals(row, state)) return slot;
    }
  }

  private equals(row: number, state: Int32Array): boolean {
    const at = row * this.width;
    for (let i = 0; i < this.width; i++) if (this.rows[at + i] !== state[i]) return false;
    return true;
  }

  private grow(): void {
    this.capacity *= 2;
    this.rows = enlarged(this.rows);
    this.origins = enlarged(this.origins);
    this.slots = new Int32Array(this.capacity * 2).fill(-1);
    for (let row = 0; row < this.size; row++) {
      this.slots[this.find(this.rows.subarray(row * this.width, (row + 1) * this.width))] = row;
    }
  }
}

function enlarged(numbers: Int32Array): Int32Array {
  const larger = new Int32Array(numbers.length * 2);
  larger.set(numbers);
  return larger;
}

function hash(state: Int32Array): number {
  let sum = 0x811c9dc5;
  for (const number of state) {
    sum = Math.imul(sum ^ number, 0x01000193);
    sum ^= sum >>> 15;
    sum = Math.imul(sum, 0x2c1b3c6d);
  }
  return (sum ^ sum >>> 13) >>> 0;
}
