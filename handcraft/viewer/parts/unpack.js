/**
 * Reads the models out of the page: what handcraft/viewer/packing.py packs and payload.py lays out.
 *
 *     const [model] = await loadModels(document.getElementById('payload').textContent)
 */
import { Matrix, Model } from './model.js';

/**
 * The models of a page, in the order in which they were given.
 * @param {string} text base64 of a raw deflate stream: a header that is JSON, and bytes
 * @returns {Promise<Model[]>}
 */
export async function loadModels(text) {
  const bytes = await inflated(text);
  const size = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
  const reader = new ByteReader(bytes, 4 + size);
  return header.models.map((/** @type {import('./model.js').Header} */ one) => modelIn(one, reader));
}

/**
 * @param {string} text base64
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
async function inflated(text) {
  const squeezed = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([squeezed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Reads numbers from bytes, one after the other. */
class ByteReader {
  /** @param {Uint8Array} bytes @param {number} at */
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  /** A whole number from 0 on: seven bits a byte, the lowest first. */
  varint() {
    let number = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.bytes[this.at++];
      number += (byte & 127) * scale;
      if (byte < 128) return number;
    }
  }

  /** @param {number} count @returns {Int32Array} */
  varints(count) {
    return Int32Array.from({ length: count }, () => this.varint());
  }

  /** Numbers that are written as the distance from the one before. @param {number} count */
  deltas(count) {
    let before = 0;
    return Int32Array.from({ length: count }, () => {
      const step = this.varint();
      before += step % 2 ? -(step + 1) / 2 : step / 2;
      return before;
    });
  }

  /** @param {number} count @returns {Float64Array} */
  float64s(count) {
    return new Float64Array(this.planes(count, 8));
  }

  /** @param {number} count @returns {Float32Array} */
  float32s(count) {
    return new Float32Array(this.planes(count, 4));
  }

  /** Numbers of which all first bytes stand first, then all second bytes. @param {number} count @param {number} width */
  planes(count, width) {
    const found = new Uint8Array(count * width);
    for (let plane = 0; plane < width; plane++) {
      for (let i = 0; i < count; i++) found[i * width + plane] = this.bytes[this.at++];
    }
    return found.buffer;
  }
}

/**
 * @param {import('./model.js').Header} header
 * @param {ByteReader} reader
 * @returns {Model}
 */
function modelIn(header, reader) {
  const entries = entriesIn(header, reader);
  const matrices = header.matrices.map(([name, nRows, nCols]) => new Matrix(name, nRows, nCols));
  const size = matrices.reduce((sum, matrix) => sum + matrix.values.length, 0);
  const dense = header.dense ? reader.float32s(size) : null;
  return new Model(header, matrices, entries, dense);
}

/**
 * What each rule wrote: runs of one rule in one matrix.
 * @param {import('./model.js').Header} header
 * @param {ByteReader} reader
 * @returns {import('./model.js').Entries}
 */
function entriesIn(header, reader) {
  const nValues = reader.varint();
  const nRuns = reader.varint();
  const values = reader.float64s(nValues);
  const rules = reader.deltas(nRuns);
  const matrices = reader.deltas(nRuns);
  const counts = reader.varints(nRuns);
  const rows = reader.varints(header.entries);
  const columns = reader.deltas(header.entries);
  const numbers = reader.varints(header.entries);
  return {
    rule: spreadOut(rules, counts),
    matrix: spreadOut(matrices, counts),
    row: rows,
    column: columns,
    value: Float64Array.from(numbers, (number) => values[number]),
  };
}

/** Each number as often as its count says. @param {Int32Array} numbers @param {Int32Array} counts */
function spreadOut(numbers, counts) {
  const found = /** @type {number[]} */ ([]);
  numbers.forEach((number, i) => {
    for (let k = 0; k < counts[i]; k++) found.push(number);
  });
  return Int32Array.from(found);
}
