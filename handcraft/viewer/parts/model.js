/**
 * A model in the page: its weights with the rule of each cell, its names, its claim, and edits.
 *
 * Weights are nested as GPT-2 names them (model.weights.blocks[0].attn.c_attn.w), each a Matrix; a
 * bias is a matrix of one row. A cell of a program is the sum of what rules wrote into it, rounded to
 * float32 once. Weights that no rule wrote belong to a rule of their own: one for each part of the
 * model, such as `0.h1.o`, so that they can be switched off and counted like others.
 */
import { Prompts } from './prompt.js';

/** @typedef {{path: string, text: string, source: string}} Rule */
/** @typedef {{w: Matrix, b: Matrix}} LinearMap */
/** @typedef {{g: Matrix, b: Matrix}} Norm */
/** @typedef {{c_attn: LinearMap, c_proj: LinearMap}} AttentionWeights */
/** @typedef {{c_fc: LinearMap, c_proj: LinearMap}} MlpWeights */
/** @typedef {{ln_1: Norm | null, attn: AttentionWeights | null, ln_2: Norm | null, mlp: MlpWeights | null}} BlockWeights */
/** @typedef {{wte: Matrix, wpe: Matrix, blocks: BlockWeights[], ln_f: Norm | null, lm_head: Matrix | null}} Weights */
/** @typedef {{rule: Int32Array, matrix: Int32Array, row: Int32Array, column: Int32Array, value: Float64Array}} Entries  one value a rule wrote, in the order of writing */
/** @typedef {{name: string, start: number, size: number}} Slot */
/** @typedef {{name: string, rule: string, match: string[], value: string[]}} Head  its rule's path and the names of its columns, '' for an unused one */
/** @typedef {{heads: Head[], neurons: string[], neuronRules: string[], hasAttn: boolean, hasMlp: boolean}} Block */
/** @typedef {{part: string, title: string, rows: string[], columns: string[]}} Part */
/** @typedef {{row: number, column: number, value: number, rules: number[]}} Cell */
/** @typedef {{part: string, row: number, column: number, value: number}} RuleCell */
/**
 * @typedef {object} Claim  which texts it speaks about: see handcraft/viewer/accepted.py
 * @property {string} kind 'after', 'distribution', 'function', 'residual', 'answers', 'each' or 'none'
 * @property {'contexts' | 'prompts' | 'texts' | 'nothing'} speaks
 * @property {string} text as its author writes it
 * @property {string} [source]
 * @property {string | null} [stop]
 * @property {string | null} [begin]
 * @property {string[] | null} [alphabet]
 * @property {boolean} [last]
 * @property {number[][]} [endings]
 * @property {string} [prompts]
 * @property {string} [pattern]
 * @property {number} [longest]
 * @property {string} [example]
 * @property {string} [start]
 * @property {number[]} [rooms]
 * @property {[string, string, number] | null} [framed]
 */
/**
 * @typedef {object} Counterexample  the shortest context on which the model is wrong
 * @property {string[]} tokens
 * @property {any} expected
 * @property {any} got
 * @property {number | null} margin
 * @property {number} [position]
 */
/**
 * @typedef {object} Verdict  what `handcraft verify --json` says, by its names in `report`
 * @property {string} verdict 'proved', 'bounded', 'checked', 'refuted', 'unknown'
 * @property {string} method
 * @property {number | null} margin the least
 * @property {string[] | null} leastMarginAt the tokens of the context where it occurs
 * @property {number | null} leastMarginPosition the position in it, of claims on whole texts
 * @property {number | string} contexts how many are covered; a text where JavaScript has no such number
 * @property {number | string} checked how many of them the claim speaks of
 * @property {number | null} accuracy
 * @property {string} dtype
 * @property {number | null} errorBound of a proof: how far float arithmetic can be off
 * @property {string | null} hash of the certificate, where there is one
 * @property {Counterexample | null} counterexample
 * @property {string} text in a line
 * @property {Record<string, any>} report
 */
/**
 * @typedef {object} Header  what handcraft/viewer/payload.py writes of a model
 * @property {string} name
 * @property {string} about
 * @property {string[]} docs
 * @property {string[]} tokens
 * @property {import('./prompt.js').Texts} texts
 * @property {string[]} lanes
 * @property {[string, number, number][]} slots
 * @property {[string[], string[]][][]} heads
 * @property {Claim} claim
 * @property {Record<string, any> | null} verdict
 * @property {number} nHead
 * @property {'gelu' | 'relu'} activation
 * @property {boolean} causal
 * @property {number} epsilon
 * @property {[string, number, number][]} matrices
 * @property {{path: string[], steps?: number[], text: string[], source: string[]}} rules
 * @property {number} entries
 * @property {boolean} dense
 */
/** @typedef {{matrix: Matrix, rows: number[], columns: number[]}} Region  a part of a matrix, by index */
/** @typedef {{set: {matrix: string, row: number, column: number, value: number}} | {rule: number, on: boolean}} Edit */

export const BIAS = '1'; // the name of the row of a bias, and of the lane that is always 1

/** A matrix [n_rows, n_cols] of float32. */
export class Matrix {
  /** @param {string} name @param {number} nRows @param {number} nCols */
  constructor(name, nRows, nCols) {
    this.name = name;
    this.nRows = nRows;
    this.nCols = nCols;
    this.values = new Float32Array(nRows * nCols);
    /** @type {{starts: Int32Array, columns: Int32Array, values: Float32Array} | null} */
    this.kept = null;
  }

  /** @param {number} row @param {number} column */
  at(row, column) {
    return this.values[row * this.nCols + column];
  }

  /** @param {number} row @param {number} column @param {number} value */
  put(row, column, value) {
    this.values[row * this.nCols + column] = value;
    this.kept = null;
  }

  /** @param {number} row */
  row(row) {
    return this.values.subarray(row * this.nCols, (row + 1) * this.nCols);
  }

  /** The cells that are not 0: those of a row stand from starts[row] to starts[row + 1]. */
  get sparse() {
    this.kept ??= nonzeroOf(this);
    return this.kept;
  }
}

/** @param {Matrix} matrix */
function nonzeroOf({ values, nRows, nCols }) {
  const count = values.reduce((sum, value) => sum + (value === 0 ? 0 : 1), 0);
  const found = { starts: new Int32Array(nRows + 1), columns: new Int32Array(count), values: new Float32Array(count) };
  let at = 0;
  for (let row = 0; row < nRows; row++) {
    for (let column = 0; column < nCols; column++) {
      const value = values[row * nCols + column];
      if (value === 0) continue;
      found.columns[at] = column;
      found.values[at++] = value;
    }
    found.starts[row + 1] = at;
  }
  return found;
}

/** The matrices as GPT-2 nests them. @param {Map<string, Matrix>} all @returns {Weights} */
function nested(all) {
  const one = (/** @type {string} */ name) => /** @type {Matrix} */ (all.get(name));
  const map = (/** @type {string} */ name) => ({ w: one(`${name}.w`), b: one(`${name}.b`) });
  const norm = (/** @type {string} */ name) => (all.has(`${name}.g`) ? { g: one(`${name}.g`), b: one(`${name}.b`) } : null);
  const layers = [...all.keys()].filter((name) => name.startsWith('blocks.')).map((name) => Number(name.split('.')[1]));
  const block = (/** @type {string} */ at) => ({
    ln_1: norm(`${at}.ln_1`),
    attn: all.has(`${at}.attn.c_attn.w`) ? { c_attn: map(`${at}.attn.c_attn`), c_proj: map(`${at}.attn.c_proj`) } : null,
    ln_2: norm(`${at}.ln_2`),
    mlp: all.has(`${at}.mlp.c_fc.w`) ? { c_fc: map(`${at}.mlp.c_fc`), c_proj: map(`${at}.mlp.c_proj`) } : null,
  });
  const nLayer = Math.max(-1, ...layers) + 1;
  return {
    wte: one('wte'),
    wpe: one('wpe'),
    blocks: Array.from({ length: nLayer }, (_, i) => block(`blocks.${i}`)),
    ln_f: norm('ln_f'),
    lm_head: all.get('lm_head') ?? null,
  };
}

/** A model with its rules, its claim and what was edited. */
export class Model {
  /**
   * @param {Header} header
   * @param {Matrix[]} matrices
   * @param {Entries} entries
   * @param {Float32Array | null} dense all weights, where the rules are not all that there is
   */
  constructor(header, matrices, entries, dense) {
    this.name = header.name;
    this.about = header.about;
    this.docs = header.docs;
    this.tokens = header.tokens;
    this.lanes = header.lanes;
    /** @type {Slot[]} */
    this.slots = header.slots.map(([name, start, size]) => ({ name, start, size }));
    this.nHead = header.nHead;
    this.activation = header.activation;
    this.causal = header.causal;
    this.epsilon = header.epsilon;
    this.claim = header.claim;
    this.verdict = verdictOf(header.verdict);
    /** @type {Rule[]} each once; those at the end have no source: nobody wrote them */
    this.rules = pathsOf(header.rules).map((path, i) => ({ path, text: header.rules.text[i], source: header.rules.source[i] }));
    this.matrices = new Map(matrices.map((matrix) => [matrix.name, matrix]));
    this.weights = nested(this.matrices);
    this.nCtx = this.weights.wpe.nRows;
    this.nEmbd = this.weights.wte.nCols;
    this.dHead = this.nEmbd / this.nHead;
    this.nLayer = this.weights.blocks.length;
    this.prompts = new Prompts(this.name, this.tokens, header.texts, this.claim, this.nCtx);
    this.book = new Book(matrices, entries, dense);
    /** @type {Block[]} */
    this.blocks = this.weights.blocks.map((block, i) => this.named(block, i, header.heads[i] ?? []));
    /** @type {Edit[]} */
    this.history = [];
    this.edits = 0; // how many of the history hold: the others were undone
    /** @type {Set<number>} the rules that are switched off */
    this.off = new Set();
    /** @type {Map<string, number>} the cells that are set */
    this.hand = new Map();
    /** @type {PartView[] | undefined} */
    this.views = undefined;
    this.ruleNumbers = new Map(this.rules.map(({ path, text }, i) => [`${path}\n${text}`, i]));
    this.rebuild();
    this.regions();
  }

  /** The id of the token that ends an answer, or null. */
  get stopId() {
    return this.prompts.stopId;
  }

  // ------------------------------------------------------------ names

  /** The name of a lane of the stream; the lane nEmbd is the constant 1. @param {number} lane */
  laneName(lane) {
    return lane === this.nEmbd ? BIAS : this.lanes[lane];
  }

  /** @param {BlockWeights} weights @param {number} i @param {[string[], string[]][]} heads @returns {Block} */
  named({ attn, mlp }, i, heads) {
    const unnamed = Array.from({ length: this.dHead }, () => '');
    const head = (/** @type {number} */ h) => ({
      name: `${i}.h${h}`,
      rule: this.ruleAt(`blocks.${i}.attn.c_`, (row, column, out) => (out ? Math.floor(row / this.dHead) : Math.floor((column % this.nEmbd) / this.dHead)) === h),
      match: heads[h]?.[0] ?? unnamed,
      value: heads[h]?.[1] ?? unnamed,
    });
    const nNeurons = mlp ? mlp.c_fc.w.nCols : 0;
    return {
      heads: Array.from({ length: attn ? this.nHead : 0 }, (_, h) => head(h)),
      neurons: Array.from({ length: nNeurons }, (_, j) => `n${j}`),
      neuronRules: Array.from({ length: nNeurons }, (_, j) => this.ruleAt(`blocks.${i}.mlp.c_fc`, (_row, column) => column === j)),
      hasAttn: attn !== null,
      hasMlp: mlp !== null,
    };
  }

  /** The path of the rule, without its last step, that wrote the first such cell; '' for none. @param {string} prefix @param {(row: number, column: number, out: boolean) => boolean} fits */
  ruleAt(prefix, fits) {
    const { entries, matrices } = this.book;
    const at = entries.rule.findIndex((_, i) => {
      const { name } = matrices[entries.matrix[i]];
      const out = name.endsWith('attn.c_proj.w');
      const own = name.startsWith(prefix) && !name.endsWith('attn.c_proj.b');
      return own && fits(entries.row[i], entries.column[i], out);
    });
    return at < 0 ? '' : this.rules[entries.rule[at]].path.split(' > ').slice(0, -1).join(' > ');
  }

  /** The matrices in parts, as `handcraft explain` names them. @returns {Part[]} */
  parts() {
    return this.regions().map(({ part, title, rows, columns }) => ({ part, title, rows, columns }));
  }

  /** The same with the places of their cells. No edit changes which they are. */
  regions() {
    this.views ??= partsOf(this);
    return this.views;
  }

  /** @param {string} part */
  region(part) {
    const found = this.regions().find((one) => one.part === part);
    if (!found) throw new RangeError(`${this.name} has no part ${part}`);
    return found;
  }

  // ------------------------------------------------------------ cells and rules

  /** The cells of a part that are not 0, by their indexes into its rows and columns. @param {string} part @returns {Cell[]} */
  cells(part) {
    const found = /** @type {Cell[]} */ ([]);
    let above = 0;
    for (const { matrix, rows, columns } of this.region(part).regions) {
      rows.forEach((row, i) =>
        columns.forEach((column, j) => {
          const value = matrix.at(row, column);
          if (value !== 0) found.push({ row: above + i, column: j, value, rules: this.rulesAt(matrix, row, column) });
        }),
      );
      above += rows.length;
    }
    return found;
  }

  /** What a rule wrote into each cell, where it stands in the parts. @param {number} rule @returns {RuleCell[]} */
  cellsOf(rule) {
    const { entries, matrices } = this.book;
    const unruled = this.unruledPart(rule);
    if (unruled) {
      const cells = this.cells(unruled).filter((cell) => cell.rules.includes(rule));
      return cells.map(({ row, column, value }) => ({ part: unruled, row, column, value }));
    }
    const found = /** @type {RuleCell[]} */ ([]);
    entries.rule.forEach((own, i) => {
      if (own !== rule) return;
      const place = this.placeOf(matrices[entries.matrix[i]], entries.row[i], entries.column[i]);
      if (place) found.push({ ...place, value: entries.value[i] });
    });
    return found;
  }

  /** Where a cell of a matrix stands in the parts. @param {Matrix} matrix @param {number} row @param {number} column */
  placeOf(matrix, row, column) {
    for (const { part, regions } of this.regions()) {
      let above = 0;
      for (const region of regions) {
        const i = region.matrix === matrix ? region.rows.indexOf(row) : -1;
        const j = i < 0 ? -1 : region.columns.indexOf(column);
        if (j >= 0) return { part, row: above + i, column: j };
        above += region.rows.length;
      }
    }
    return null;
  }

  /** The rules that a cell comes from. @param {Matrix} matrix @param {number} row @param {number} column @returns {number[]} */
  rulesAt(matrix, row, column) {
    return this.piecesAt(matrix, row, column).map(({ rule }) => rule);
  }

  /** What rules wrote into a row of a matrix, those that are on, also where it sums to 0. @param {Matrix} matrix @param {number} row @returns {{column: number, value: number, rule: number}[]} */
  pieces(matrix, row) {
    return upTo(matrix.nCols).flatMap((column) => this.piecesAt(matrix, row, column).map((piece) => ({ column, ...piece })));
  }

  /** The one rule of all cells of a row, where no rule of the program wrote into the matrix and no cell is set; else null. Of matrices that write to the stream. @param {Matrix} matrix @param {number} row */
  soleRule(matrix, row) {
    return this.hand.size === 0 && this.book.unwritten(matrix) ? this.unruled(matrix, row, 0) : null;
  }

  /** @param {Matrix} matrix @param {number} row @param {number} column @returns {{value: number, rule: number}[]} */
  piecesAt(matrix, row, column) {
    if (this.hand.size && this.hand.has(keyOf(matrix.name, row, column))) {
      return [{ value: matrix.at(row, column), rule: this.ruleNamed('edits', 'set by hand') }];
    }
    if (this.book.given(matrix, row, column)) {
      return [{ value: matrix.at(row, column), rule: this.unruled(matrix, row, column) }];
    }
    const { entries } = this.book;
    const written = this.book.at(matrix, row, column).filter((i) => !this.off.has(entries.rule[i]));
    return written.map((i) => ({ value: Math.fround(entries.value[i]), rule: entries.rule[i] }));
  }

  /** The rule that stands for a cell that no rule wrote: that of its part. @param {Matrix} matrix @param {number} row @param {number} column */
  unruled(matrix, row, column) {
    return this.ruleNamed(partName(this, matrix, row, column), UNRULED);
  }

  /** The part whose cells a rule of ours stands for; null for a rule of the program. @param {number} rule */
  unruledPart(rule) {
    const { path, text, source } = this.rules[rule];
    return text === UNRULED && source === '' ? path : null;
  }

  /** @param {string} path @param {string} text */
  ruleNamed(path, text) {
    const key = `${path}\n${text}`;
    const known = this.ruleNumbers.get(key) ?? this.rules.push({ path, text, source: '' }) - 1;
    this.ruleNumbers.set(key, known);
    return known;
  }

  // ------------------------------------------------------------ edits

  /** Set a cell of a part. What is set stays as it is set, whatever rules are switched. @param {string} part @param {number} row @param {number} column @param {number} value */
  setCell(part, row, column, value) {
    let below = row;
    for (const { matrix, rows, columns } of this.region(part).regions) {
      if (below < rows.length) {
        return this.edit({ set: { matrix: matrix.name, row: rows[below], column: columns[column], value: Math.fround(value) } });
      }
      below -= rows.length;
    }
    throw new RangeError(`${part} has no row ${row}`);
  }

  /** Leave out what a rule wrote, or write it again. @param {number} rule @param {boolean} on */
  switchRule(rule, on) {
    if (!this.rules[rule]) throw new RangeError(`${this.name} has no rule ${rule}`);
    this.edit({ rule, on });
  }

  /** @param {Edit} edit */
  edit(edit) {
    this.history.splice(this.edits, Infinity, edit);
    this.edits += 1;
    this.rebuild();
  }

  undo() {
    this.edits = Math.max(0, this.edits - 1);
    this.rebuild();
  }

  redo() {
    this.edits = Math.min(this.history.length, this.edits + 1);
    this.rebuild();
  }

  reset() {
    this.edits = 0;
    this.history = [];
    this.rebuild();
  }

  /** Is a rule on? @param {number} rule */
  isOn(rule) {
    return !this.off.has(rule);
  }

  /** Compute all weights from the rules that are on and the cells that are set. */
  rebuild() {
    this.off = new Set();
    this.hand = new Map();
    for (const one of this.history.slice(0, this.edits)) {
      if ('set' in one) this.hand.set(keyOf(one.set.matrix, one.set.row, one.set.column), one.set.value);
      else if (one.on) this.off.delete(one.rule);
      else this.off.add(one.rule);
    }
    this.book.write(this.off);
    for (const rule of this.off) this.leaveOut(rule);
    for (const [key, value] of this.hand) {
      const [name, row, column] = key.split(' ');
      this.matrices.get(name)?.put(Number(row), Number(column), value);
    }
  }

  /** Set the cells to 0 that no rule wrote, of a part that is switched off. @param {number} rule */
  leaveOut(rule) {
    const part = this.unruledPart(rule);
    if (!part) return;
    for (const { matrix, rows, columns } of this.regions().find((one) => one.part === part)?.regions ?? []) {
      for (const row of rows) {
        for (const column of columns) {
          if (this.book.given(matrix, row, column)) matrix.put(row, column, 0);
        }
      }
    }
  }

  // ------------------------------------------------------------ texts

  /** The ids of a text, or what is wrong with it. @param {string} text @returns {{ids: number[]} | {problem: string}} */
  encode(text) {
    return this.prompts.encode(text);
  }

  /** The text of the ids. @param {number[]} ids */
  decode(ids) {
    return this.prompts.decode(ids);
  }

  /** Does the claim speak about this prompt, context or text? @param {number[]} ids */
  asked(ids) {
    return this.prompts.asked(ids);
  }

  /** The prompt of a text that may stand alone, and how many tokens of its answer are echoes. @param {number[]} ids */
  framed(ids) {
    return this.prompts.framed(ids);
  }

  /** How many tokens may follow; null where the window slides. @param {number[]} ids */
  room(ids) {
    return this.prompts.room(ids);
  }
}

/** The paths of rules, whose numbers are written as steps from those of the path before. @param {{path: string[], steps?: number[]}} rules */
function pathsOf({ path, steps }) {
  if (!steps) return path;
  let at = 0;
  let before = /** @type {number[]} */ ([]);
  return path.map((counted) => {
    const here = /** @type {number[]} */ ([]);
    const whole = counted.replace(/0/gu, () => {
      const number = (before[here.length] ?? 0) + steps[at++];
      here.push(number);
      return String(number);
    });
    before = here;
    return whole;
  });
}

const UNRULED = 'no rule wrote this';

/** @param {string} matrix @param {number} row @param {number} column */
function keyOf(matrix, row, column) {
  return `${matrix} ${row} ${column}`;
}

/** Keeps what rules wrote, and which cells they do not explain. */
class Book {
  /** @param {Matrix[]} matrices @param {Entries} entries @param {Float32Array | null} dense */
  constructor(matrices, entries, dense) {
    this.matrices = matrices;
    this.entries = entries;
    this.dense = dense;
    this.starts = new Map(); // of each matrix among all values
    let size = 0;
    for (const matrix of matrices) {
      this.starts.set(matrix, size);
      size += matrix.values.length;
    }
    this.own = new Set(Array.from(entries.matrix, (i) => matrices[i]));
    this.written = this.sums(new Set());
    /** @type {Map<number, number[]> | null} */
    this.places = null;
  }

  /** The sums of the rules that are on, of all matrices one after the other. @param {Set<number>} off */
  sums(off) {
    const { rule, matrix, row, column, value } = this.entries;
    const last = this.matrices[this.matrices.length - 1];
    const sums = new Float64Array(this.starts.get(last) + last.values.length);
    for (let i = 0; i < rule.length; i++) {
      if (!off.has(rule[i])) sums[this.place(this.matrices[matrix[i]], row[i], column[i])] += value[i];
    }
    return Float32Array.from(sums);
  }

  /** @param {Matrix} matrix @param {number} row @param {number} column @returns {number} */
  place(matrix, row, column) {
    return this.starts.get(matrix) + row * matrix.nCols + column;
  }

  /** Did no rule write into a matrix? @param {Matrix} matrix */
  unwritten(matrix) {
    return !this.own.has(matrix);
  }

  /** Is a cell something else than what its rules sum to? @param {Matrix} matrix @param {number} row @param {number} column */
  given(matrix, row, column) {
    if (!this.dense) return false;
    const place = this.place(matrix, row, column);
    return this.dense[place] !== this.written[place];
  }

  /** Fill the matrices. @param {Set<number>} off */
  write(off) {
    const sums = off.size ? this.sums(off) : this.written;
    for (const matrix of this.matrices) {
      const start = this.starts.get(matrix);
      matrix.values.set(sums.subarray(start, start + matrix.values.length));
      matrix.kept = null;
      if (this.dense) this.fill(matrix, start);
    }
  }

  /** @param {Matrix} matrix @param {number} start */
  fill(matrix, start) {
    const dense = /** @type {Float32Array} */ (this.dense);
    for (let i = 0; i < matrix.values.length; i++) {
      if (dense[start + i] !== this.written[start + i]) matrix.values[i] = dense[start + i];
    }
  }

  /** The numbers of the entries of a cell. @param {Matrix} matrix @param {number} row @param {number} column @returns {number[]} */
  at(matrix, row, column) {
    this.places ??= this.indexed();
    return this.places.get(this.place(matrix, row, column)) ?? [];
  }

  indexed() {
    const { rule, matrix, row, column } = this.entries;
    const found = /** @type {Map<number, number[]>} */ (new Map());
    for (let i = 0; i < rule.length; i++) {
      const place = this.place(this.matrices[matrix[i]], row[i], column[i]);
      const here = found.get(place);
      if (here) here.push(i);
      else found.set(place, [i]);
    }
    return found;
  }
}

/** @param {Record<string, any> | null} report @returns {Verdict | null} */
function verdictOf(report) {
  if (!report) return null;
  return {
    verdict: report.verdict,
    method: report.method,
    margin: report.min_margin,
    leastMarginAt: report.min_margin_at,
    leastMarginPosition: report.min_margin_position ?? null,
    contexts: report.contexts,
    checked: report.checked,
    accuracy: report.accuracy,
    dtype: report.dtype,
    errorBound: report.error_bound ?? null,
    hash: report.certificate ?? null,
    counterexample: report.counterexample,
    text: `${report.verdict} (${report.method}, ${report.dtype})`,
    report,
  };
}

// ------------------------------------------------------------ parts

/** @typedef {Part & {regions: Region[]}} PartView */

/** The parts of a model in the order of `handcraft explain`. @param {Model} model @returns {PartView[]} */
function partsOf(model) {
  const { wte, wpe, blocks, ln_f, lm_head } = model.weights;
  const stream = upTo(model.nEmbd);
  const positions = upTo(model.nCtx).map(String);
  const ids = upTo(wte.nRows);
  const found = [
    streamPart(model, 'wte', 'what each token writes', model.tokens, [{ matrix: wte, rows: ids, columns: stream }]),
    streamPart(model, 'wpe', 'what each position writes', positions, [{ matrix: wpe, rows: upTo(model.nCtx), columns: stream }]),
  ];
  blocks.forEach((block, i) => found.push(...blockParts(model, block, i)));
  found.push(...normParts(model, 'ln_f', ln_f));
  if (lm_head) {
    found.push(streamPart(model, 'lm_head', "what each token's logit reads", model.tokens, [{ matrix: lm_head, rows: ids, columns: stream }]));
  }
  return found;
}

/** @param {Model} model @param {BlockWeights} block @param {number} i @returns {PartView[]} */
function blockParts(model, { ln_1, attn, ln_2, mlp }, i) {
  const heads = attn ? model.blocks[i].heads.flatMap((_, h) => headParts(model, attn, i, h)) : [];
  const constants = attn && model.nHead > 1 ? [constantsPart(model, attn, i)] : [];
  return [
    ...normParts(model, `${i}.ln_1`, ln_1),
    ...heads,
    ...constants,
    ...normParts(model, `${i}.ln_2`, ln_2),
    ...(mlp ? mlpParts(model, mlp, i) : []),
  ];
}

/** @param {Model} model @param {AttentionWeights} attn @param {number} i @param {number} h @returns {PartView[]} */
function headParts(model, { c_attn, c_proj }, i, h) {
  const { match, value } = model.blocks[i].heads[h];
  const kinds = /** @type {[string, string, string[]][]} */ ([['q', 'query', match], ['k', 'key', match], ['v', 'value', value]]);
  const reads = kinds.map(([letter, word, names], third) => {
    const first = third * model.nEmbd + h * model.dHead;
    const columns = namedOnes(names, first, (column) => usedColumn(c_attn, column));
    const regions = [
      { matrix: c_attn.w, rows: upTo(model.nEmbd), columns: columns.map(([at]) => at) },
      { matrix: c_attn.b, rows: [0], columns: columns.map(([at]) => at) },
    ];
    const title = `${word} of head ${i}.h${h}: columns of blocks.${i}.attn.c_attn`;
    return { part: `${i}.h${h}.${letter}`, title, rows: [...model.lanes, BIAS], columns: columns.map(([, name]) => name), regions };
  });
  const rows = namedOnes(value, h * model.dHead, (row) => c_proj.w.row(row).some((x) => x !== 0));
  const regions = [{ matrix: c_proj.w, rows: rows.map(([at]) => at), columns: upTo(model.nEmbd) }];
  if (model.nHead === 1) regions.push({ matrix: c_proj.b, rows: [0], columns: upTo(model.nEmbd) });
  const names = rows.map(([, name]) => name);
  const title = `output of head ${i}.h${h}: rows of blocks.${i}.attn.c_proj`;
  const writes = streamPart(model, `${i}.h${h}.o`, title, model.nHead === 1 ? [...names, BIAS] : names, regions);
  return [...reads, writes].filter(({ columns, regions: [first] }) => columns.length && first.rows.length);
}

/** @param {Model} model @param {AttentionWeights} attn @param {number} i */
function constantsPart(model, { c_proj }, i) {
  const title = `output constants of all heads: blocks.${i}.attn.c_proj.b`;
  return streamPart(model, `${i}.c_proj.b`, title, [BIAS], [{ matrix: c_proj.b, rows: [0], columns: upTo(model.nEmbd) }]);
}

/** @param {Model} model @param {MlpWeights} mlp @param {number} i @returns {PartView[]} */
function mlpParts(model, { c_fc, c_proj }, i) {
  const { neurons } = model.blocks[i];
  const inner = upTo(neurons.length);
  const stream = upTo(model.nEmbd);
  const reads = [{ matrix: c_fc.w, rows: stream, columns: inner }, { matrix: c_fc.b, rows: [0], columns: inner }];
  const writes = [{ matrix: c_proj.w, rows: inner, columns: stream }, { matrix: c_proj.b, rows: [0], columns: stream }];
  const at = `blocks.${i}.mlp`;
  return [
    { part: `${i}.mlp.c_fc`, title: `when each neuron fires: ${at}.c_fc`, rows: [...model.lanes, BIAS], columns: neurons, regions: reads },
    streamPart(model, `${i}.mlp.c_proj`, `what each neuron adds: ${at}.c_proj`, [...neurons, BIAS], writes),
  ];
}

/** @param {Model} model @param {string} part @param {Norm | null} norm @returns {PartView[]} */
function normParts(model, part, norm) {
  if (!norm) return [];
  const columns = upTo(model.nEmbd);
  const regions = [{ matrix: norm.g, rows: [0], columns }, { matrix: norm.b, rows: [0], columns }];
  return [streamPart(model, part, 'layer norm: gain and bias', ['g', 'b'], regions)];
}

/** A part whose columns are the lanes of the stream. @param {Model} model @param {string} part @param {string} title @param {string[]} rows @param {Region[]} regions */
function streamPart(model, part, title, rows, regions) {
  return { part, title, rows, columns: model.lanes, regions };
}

/** The places from `first` on that have a name or are used, each with its name. @param {string[]} names @param {number} first @param {(at: number) => boolean} used @returns {[number, string][]} */
function namedOnes(names, first, used) {
  const all = names.map((name, j) => /** @type {[number, string]} */ ([first + j, name]));
  return all.filter(([at, name]) => name || used(at)).map(([at, name]) => [at, name || `x${at}`]);
}

/** @param {LinearMap} map @param {number} column */
function usedColumn({ w, b }, column) {
  return b.at(0, column) !== 0 || upTo(w.nRows).some((row) => w.at(row, column) !== 0);
}

/** The whole numbers below n. @param {number} n */
function upTo(n) {
  return Array.from({ length: n }, (_, i) => i);
}

/** The part in which a cell stands. @param {Model} model @param {Matrix} matrix @param {number} row @param {number} column */
function partName(model, matrix, row, column) {
  const [first, layer, kind, map] = matrix.name.split('.');
  if (first !== 'blocks') return first;
  if (kind !== 'attn') return kind === 'mlp' ? `${layer}.mlp.${map}` : `${layer}.${kind}`;
  if (map === 'c_attn') {
    const third = Math.floor(column / model.nEmbd);
    return `${layer}.h${Math.floor((column % model.nEmbd) / model.dHead)}.${'qkv'[third]}`;
  }
  if (!matrix.name.endsWith('.b')) return `${layer}.h${Math.floor(row / model.dHead)}.o`;
  return model.nHead > 1 ? `${layer}.c_proj.b` : `${layer}.h0.o`;
}
