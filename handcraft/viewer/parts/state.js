// What a person has chosen and changed on the page, and what the model makes of it. Panels read it and are drawn anew after
// every change; only `change`, `write` and `edit` change it.

import { visible } from './dom.js';
import { argmax } from './decoding.js';
import { forward, isFinitePass, NOT_FINITE } from './gpt2.js';

/**
 * @typedef {import('./model.js').Model} Model
 * @typedef {import('./gpt2.js').Pass} Pass
 * @typedef {{part: string, row: number, column: number, value: number} | {rules: number[], on: boolean}} Edit
 * @typedef {{path: string, source: string, rules: number[]}} RuleGroup rules that stand at one path of the program
 */

export class View {
  /**
   * @param {number} id of this view on the page
   * @param {Model} model that is run and edited
   * @param {() => Promise<Model>} asWritten the same once more, which nobody edits
   */
  constructor(id, model, asWritten) {
    this.id = id;
    this.model = model;
    this.asWritten = asWritten;
    /** @type {Model | null} the model as written, once something was edited */
    this.original = null;
    this.text = '';
    /** @type {number[]} */
    this.given = []; // the ids of the text
    /** @type {number[]} */
    this.whole = []; // in the frame of the claim
    /** @type {number[]} */
    this.ids = []; // those that fit into the window, the last ones: what the model reads
    this.problem = ''; // why the text cannot be run
    this.unasked = ''; // why the claim does not speak about the text
    this.overflow = ''; // why there are no numbers of it
    /** @type {Pass | null} */
    this.pass = null;
    /** @type {Pass | null} of the model as written, where it was edited */
    this.before = null;
    this.at = 0; // the chosen position: the query of every head
    this.key = 0; // the position it is seen looking at
    const first = headsOf(model)[0];
    this.layer = first?.layer ?? 0;
    this.head = first?.head ?? 0;
    this.step = 0;
    const { part } = model.parts()[0];
    const [cell] = model.cells(part);
    this.part = part; // the chosen cell of the matrices
    this.row = cell?.row ?? 0;
    this.column = cell?.column ?? 0;
    /** @type {number[]} the rules that are pointed out */
    this.rules = [];
    /** @type {Edit[]} */
    this.log = [];
    this.done = 0; // how many of the log stand; the rest was undone
    /** @type {(() => void)[]} */
    this.listeners = [];
  }

  /** @param {Partial<View>} choice */
  change(choice) {
    Object.assign(this, choice);
    if (this.pass && choice.key === undefined && (choice.at ?? choice.layer ?? choice.head) !== undefined) this.look();
    for (const listener of this.listeners) listener();
  }

  /**
   * Takes another text; the last position is chosen.
   * @param {string} text
   */
  write(text) {
    const found = this.model.encode(text);
    this.given = 'ids' in found ? found.ids : [];
    this.problem = 'problem' in found ? found.problem : '';
    this.whole = this.problem ? [] : this.model.prompts.begun(this.model.framed(this.given).ids);
    this.ids = this.whole.slice(-this.model.nCtx);
    this.run();
    this.change({ text, at: Math.max(0, this.ids.length - 1) });
  }

  /** Computes the pass again, of the same text. */
  run() {
    const asked = this.whole.length ? this.model.asked(this.whole) : null;
    this.unasked = asked && !asked.asked ? asked.why : '';
    const refused = !asked || (!asked.asked && asked.refused);
    const pass = refused ? null : forward(this.model, this.ids);
    this.overflow = pass && !isFinitePass(pass) ? NOT_FINITE : '';
    this.pass = this.overflow ? null : pass;
    const before = this.original && this.done && this.pass ? forward(this.original, this.ids) : null;
    this.before = before && isFinitePass(before) ? before : null;
  }

  /** Points at the key that the chosen head looks at most. */
  look() {
    const head = this.pass?.blocks[this.layer]?.attn?.heads[this.head];
    if (head) this.key = argmax(head.pattern[this.at]);
  }

  /** @param {Edit} edit */
  edit(edit) {
    this.log = [...this.log.slice(0, this.done), edit];
    this.redo();
  }

  redo() {
    const edit = this.log[this.done];
    if (!edit) return;
    if ('part' in edit) this.model.setCell(edit.part, edit.row, edit.column, edit.value);
    else for (const rule of edit.rules) this.model.switchRule(rule, edit.on);
    this.done += 1;
    this.edited();
  }

  undo() {
    if (!this.done) return;
    this.done -= 1;
    const edit = this.log[this.done];
    for (const _ of 'part' in edit ? [edit.part] : edit.rules) this.model.undo();
    this.edited();
  }

  /** The program as written; nothing can be undone after it. */
  reset() {
    this.model.reset();
    this.log = [];
    this.done = 0;
    this.edited();
  }

  edited() {
    this.run();
    this.change({});
    if (this.done && !this.original) {
      this.asWritten().then((original) => {
        this.original = original;
        this.run();
        this.change({});
      });
    }
  }

  /** The rules of the program by their paths; of weights without a program, its parts. */
  get groups() {
    return grouped(this.model);
  }

  /**
   * A position with its token, as in every table.
   * @param {number} position
   */
  position(position) {
    return `${position} ${visible(this.model.tokens[this.ids[position]])}`;
  }
}

/**
 * The heads that do something: all blocks have as many, and some of them stand there unused.
 * @param {Model} model
 */
export function headsOf(model) {
  const all = model.blocks.flatMap(({ heads }, layer) => heads.map((one, head) => ({ layer, head, ...one })));
  return all.filter(({ match, value }) => [...match, ...value].some(Boolean));
}

/**
 * @param {Model} model
 * @returns {RuleGroup[]}
 */
function grouped(model) {
  /** @type {Map<string, RuleGroup>} */
  const groups = new Map();
  const isProgram = model.rules.some(({ source }) => source);
  model.rules.forEach(({ path, source }, i) => {
    if (isProgram ? !source : path === 'edits') return;
    const group = groups.get(path) ?? { path, source, rules: [] };
    group.rules.push(i);
    groups.set(path, group);
  });
  return [...groups.values()];
}
