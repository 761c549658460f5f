// The pass at one position, step by step: the embedding, each head, the neurons, the logits.

import { choices, fill, find, largest, make, name, number, tableOf } from './dom.js';
import { argmax } from './decoding.js';
import { laneTable, shaded } from './panel_stream.js';
import { headsOf } from './state.js';

/** @typedef {{name: string, kind: 'embedding' | 'head' | 'neurons' | 'logits', layer: number, head: number}} Step */

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function stepsPanel(view, root) {
  const steps = stepsOf(view.model);
  const go = (/** @type {number} */ step) => {
    const { kind, layer, head } = steps[step];
    view.change({ step, ...(kind === 'head' && { layer, head }) });
  };
  find(root, '.back').addEventListener('click', () => go(Math.max(0, view.step - 1)));
  find(root, '.on').addEventListener('click', () => go(Math.min(steps.length - 1, view.step + 1)));
  return () => {
    choices(find(root, '.choice'), `step-${view.id}`, steps.map((one) => one.name), view.step, go);
    fill(find(root, '.drawn'), ...(view.pass ? drawn(view, view.pass, steps[view.step]) : []));
  };
}

/**
 * @param {import('./model.js').Model} model
 * @returns {Step[]}
 */
function stepsOf(model) {
  const last = { layer: 0, head: 0 };
  const heads = headsOf(model);
  return [
    { name: 'embedding', kind: 'embedding', ...last },
    ...model.blocks.flatMap((block, layer) => [
      ...heads.filter((one) => one.layer === layer).map((one) => /** @type {Step} */ ({ ...one, name: `head ${one.name}`, kind: 'head' })),
      ...(block.hasMlp ? [/** @type {Step} */ ({ name: `${layer}.mlp`, kind: 'neurons', layer, head: 0 })] : []),
    ]),
    { name: 'logits', kind: 'logits', ...last },
  ];
}

/**
 * The step that a matrix belongs to, with the head that it is about.
 * @param {import('./model.js').Model} model
 * @param {string} part
 * @returns {Partial<import('./state.js').View>}
 */
export function stepOf(model, part) {
  const steps = stepsOf(model);
  const found = steps.findIndex((step) => part.startsWith(`${step.name.replace('head ', '')}.`));
  const { kind, layer, head } = steps[Math.max(0, found)];
  return { step: part === 'lm_head' ? steps.length - 1 : Math.max(0, found), ...(kind === 'head' && { layer, head }) };
}

/**
 * @param {import('./state.js').View} view
 * @param {import('./gpt2.js').Pass} pass
 * @param {Step} step
 */
function drawn(view, pass, { kind, layer, head, name: title }) {
  const { at, model } = view;
  const block = pass.blocks[layer];
  if (kind === 'embedding') return embedding(view, pass);
  if (kind === 'logits') return logits(view, pass);
  if (kind === 'head' && block.attn) {
    const { heads } = block.attn;
    const rest = Float32Array.from(model.weights.blocks[layer].attn?.c_proj.b.values ?? []);
    heads.forEach((other, h) => h !== head && other.written[at].forEach((value, lane) => { rest[lane] += value; }));
    return [headWords(view, heads[head], layer, head), laneTable(`what ${title} adds`, model, [
      { head: 'before the layer', values: block.residPre[at] }, { head: 'added', values: heads[head].written[at] },
      ...(rest.some(Boolean) ? [{ head: heads.length > 1 ? 'by the others and the bias' : 'by the bias', values: rest }] : []),
      { head: 'after the layer', values: block.residMid[at] }])];
  }
  if (!block.mlp) return [];
  const added = block.residPost[at].map((x, i) => x - block.residMid[at][i]);
  return [neurons(view, block.mlp, layer), laneTable(`what ${title} adds`, model, [
    { head: 'before', values: block.residMid[at] }, { head: 'added', values: added }, { head: 'after', values: block.residPost[at] }])];
}

/**
 * @param {import('./state.js').View} view
 * @param {import('./gpt2.js').Pass} pass
 */
function embedding({ model, ids, at }, pass) {
  const row = (/** @type {string} */ part, /** @type {number} */ index) => {
    const values = new Float32Array(model.lanes.length);
    for (const cell of model.cells(part)) if (cell.row === index) values[cell.column] = cell.value;
    return values;
  };
  return [make('p', {}, 'The row of the token and the row of the position are added: the stream begins.'),
    laneTable('the embedding', model, [{ head: `token ${model.tokens[ids[at]]}`, values: row('wte', ids[at]) },
      { head: `position ${at}`, values: row('wpe', at) }, { head: 'stream', values: pass.embed[at] }])];
}

/**
 * @param {import('./state.js').View} view
 * @param {import('./gpt2.js').HeadPass} computed
 * @param {number} layer
 * @param {number} head
 */
function headWords(view, { pattern, z }, layer, head) {
  const { at, model } = view;
  const weights = pattern[at];
  const keys = [...weights.keys()].filter((k) => weights[k] >= 0.0005).sort((a, b) => weights[b] - weights[a]);
  const names = model.blocks[layer].heads[head].value;
  const value = z[at];
  const read = [...names.keys()].filter((i) => names[i] && value[i]).sort((a, b) => Math.abs(value[b]) - Math.abs(value[a]));
  return make('p', { class: 'looks' }, name(view.position(at)), ' looks at ',
    ...keys.slice(0, 6).flatMap((k, i) => [i > 0 && ', ', name(view.position(k)), ` (${number(weights[k], 3)})`]),
    keys.length > 6 && `, and ${keys.length - 6} more`, '; of their values it reads ',
    ...read.slice(0, 6).flatMap((i, n) => [n > 0 && ', ', name(names[i]), ` = ${number(value[i])}`]),
    read.length > 6 && `, and ${read.length - 6} smaller ones`, !read.length && '0', '.');
}

/**
 * @param {import('./state.js').View} view
 * @param {{pre: Float32Array[], post: Float32Array[]}} computed
 * @param {number} layer
 */
function neurons({ model, at, groups }, { pre, post }, layer) {
  const { neurons: names, neuronRules } = model.blocks[layer];
  const rule = (/** @type {string} */ path) => groups.filter((group) => path && group.path.startsWith(`${path} > `))
    .flatMap(({ rules }) => rules).slice(0, 4).map((one) => model.rules[one].text).join('; ');
  const [size, top] = [largest(pre[at]), largest(post[at])];
  return tableOf({
    label: 'neurons',
    corner: 'neuron',
    columns: ['before', model.activation, 'rule'],
    rows: [...pre[at].keys()].map((i) => name(`${names[i]}  ${neuronRules[i]}`)),
    cell(row, column) {
      if (column === 2) return { text: name(rule(neuronRules[row])), kind: 'said' };
      return column ? shaded(post[at][row], top) : shaded(pre[at][row], size);
    },
  });
}

/**
 * The logits as sums over lanes: the stream times each token's row of wte.
 * @param {import('./state.js').View} view
 * @param {import('./gpt2.js').Pass} pass
 */
function logits({ model, at }, pass) {
  const all = pass.logits[at];
  const ids = [...all.keys()].sort((a, b) => all[b] - all[a]).slice(0, 12).sort((a, b) => a - b);
  const parts = ids.map(() => new Float32Array(model.lanes.length));
  for (const { row, column, value } of model.cells(model.weights.lm_head ? 'lm_head' : 'wte')) {
    if (ids.includes(row)) parts[ids.indexOf(row)][column] = value * pass.final[at][column];
  }
  return [make('p', {}, 'The stream times the row of each token: the highest sum, ', name(model.tokens[argmax(all)]), ', is next.'),
    laneTable('lane by lane, what it gives to the logits', model, [{ head: 'stream', values: pass.final[at] },
      ...ids.map((id, i) => ({ head: model.tokens[id], values: parts[i] }))])];
}
