// The residual stream: lanes by slot, after one sublayer at every position, or at one position after every sublayer.

import { beside, fill, find, largest, make, name, tableOf } from './dom.js';

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function streamPanel(view, root) {
  const after = /** @type {HTMLSelectElement} */ (find(root, '.after'));
  const zeros = /** @type {HTMLInputElement} */ (find(root, '.zeros'));
  const names = sublayers(view.model);
  after.append(...names.map((one, i) => make('option', { value: i }, `after ${one}, every position`)),
    make('option', { value: -1 }, 'at the chosen position, after each'));
  after.addEventListener('change', draw);
  zeros.addEventListener('change', draw);
  after.value = String(names.length - 1);
  return draw;

  function draw() {
    const { pass } = view;
    if (!pass) return fill(find(root, '.drawn'));
    const all = streams(pass, view.model);
    const before = view.before && streams(view.before, view.model);
    const chosen = Number(after.value);
    const columns = chosen < 0
      ? names.map((one, i) => ({ head: one, values: all[i][view.at], written: before?.[i][view.at] }))
      : view.ids.map((_, i) => ({ head: view.position(i), values: all[chosen][i], written: before?.[chosen][i] }));
    const label = chosen < 0 ? `the stream at ${view.position(view.at)}` : `the stream after ${names[chosen]}`;
    return fill(find(root, '.drawn'), laneTable(label, view.model, columns, zeros.checked));
  }
}

/**
 * The sublayers after which the stream is shown, as `handcraft trace` names them.
 * @param {import('./model.js').Model} model
 */
export function sublayers(model) {
  return ['embedding', ...model.blocks.flatMap(({ hasAttn, hasMlp }, layer) => [
    ...(hasAttn ? [`${layer}.attention`] : []), ...(hasMlp ? [`${layer}.mlp`] : [])])];
}

/**
 * The stream after each of them.
 * @param {import('./gpt2.js').Pass} pass
 * @param {import('./model.js').Model} model
 * @returns {Float32Array[][]} [sublayer][position] -> [n_embd]
 */
export function streams(pass, model) {
  return [pass.embed, ...pass.blocks.flatMap(({ residMid, residPost }, layer) => [
    ...(model.blocks[layer].hasAttn ? [residMid] : []), ...(model.blocks[layer].hasMlp ? [residPost] : [])])];
}

/**
 * A table with a row a lane and a column a vector; unused lanes are left out, and unless asked for those that are 0.
 * @param {string} label
 * @param {import('./model.js').Model} model
 * @param {{head: string, values: ArrayLike<number>, written?: ArrayLike<number>}[]} columns of [n_embd] each
 * @param {boolean} [zeros]
 */
export function laneTable(label, model, columns, zeros = false) {
  const rows = [...model.lanes.keys()].filter((lane) => model.lanes[lane]
    && (zeros || columns.some(({ values, written }) => values[lane] || written?.[lane])));
  const sizes = rows.map((lane) => largest(columns.map(({ values }) => values[lane])));
  const least = 1e-6 * largest(sizes); // a lane that is next to nothing stays pale
  return tableOf({
    label,
    corner: 'lane',
    columns: columns.map(({ head }) => name(head)),
    rows: rows.map((lane) => name(model.lanes[lane])),
    kind: (row) => (model.slots.some(({ start }) => start === rows[row]) ? 'slot' : ''),
    cell(row, column) {
      const { values, written } = columns[column];
      const cell = shaded(values[rows[row]], sizes[row], written?.[rows[row]]);
      return sizes[row] < least ? { ...cell, share: 0 } : cell;
    },
  });
}

/**
 * A number on blue, or on orange below 0, the deeper the larger it is; what it was as written, where that reads otherwise.
 * @param {number} value
 * @param {number} size of the largest beside it
 * @param {number} [written]
 */
export function shaded(value, size, written = value) {
  const [text, was] = [beside(value, size), beside(written, size)];
  return {
    text: text === was ? text : `${text} (was ${was})`,
    share: size && Number.isFinite(value) ? Math.max(-1, Math.min(1, value / size)) : 0,
  };
}
