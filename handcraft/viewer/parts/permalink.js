// What a person typed, chose and changed, as the #hash of the page's address: whoever opens that address sees the same.

/** @typedef {import('./state.js').Edit} Edit */

/**
 * Writes it into the address; where the page stands inside another one, there is none to write.
 * @param {import('./state.js').View[]} views
 */
export function writeHash(views) {
  const said = new URLSearchParams({ text: views[0].text, at: String(views[0].at) });
  views.forEach(({ log, done }, i) => {
    if (done) said.set(`edits${i}`, JSON.stringify(log.slice(0, done).map(asList)));
  });
  try {
    history.replaceState(null, '', `#${said}`);
  } catch {
    // in a frame without an address of its own
  }
}

/**
 * Takes it from the address; what does not fit the models is left out.
 * @param {import('./state.js').View[]} views
 * @returns {{text: string | null, at: number}}
 */
export function readHash(views) {
  const said = new URLSearchParams(location.hash.slice(1));
  views.forEach((view, i) => {
    for (const list of listsIn(said.get(`edits${i}`) ?? '[]')) {
      const edit = asEdit(list, view.model);
      if (edit) view.edit(edit);
    }
  });
  const at = Number(said.get('at') ?? NaN);
  return { text: said.get('text'), at: Number.isInteger(at) ? at : NaN };
}

/** @param {string} text @returns {unknown[]} */
function listsIn(text) {
  try {
    const found = JSON.parse(text);
    return Array.isArray(found) ? found : [];
  } catch {
    return [];
  }
}

/** @param {Edit} edit */
function asList(edit) {
  return 'part' in edit ? [edit.part, edit.row, edit.column, edit.value] : [edit.rules, edit.on];
}

/**
 * @param {unknown} list
 * @param {import('./model.js').Model} model
 * @returns {Edit | null}
 */
function asEdit(list, model) {
  if (!Array.isArray(list)) return null;
  const isIndex = (/** @type {unknown} */ one, /** @type {number} */ many) => Number.isInteger(one) && Number(one) >= 0 && Number(one) < many;
  const [first, row, column, value] = list;
  if (Array.isArray(first) && first.length && first.every((rule) => isIndex(rule, model.rules.length))) return { rules: first, on: row === true };
  const part = model.parts().find((one) => one.part === first);
  const fits = part && isIndex(row, part.rows.length) && isIndex(column, part.columns.length) && typeof value === 'number' && Number.isFinite(Math.fround(value));
  return fits ? { part: part.part, row, column, value } : null;
}
