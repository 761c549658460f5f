// What was changed, and the way back.

import { find, number } from './dom.js';

/**
 * @param {import('./state.js').View} view
 * @param {HTMLElement} root
 */
export function editsPanel(view, root) {
  const press = (/** @type {string} */ which) => /** @type {HTMLButtonElement} */ (find(root, which));
  press('.undo').addEventListener('click', () => view.undo());
  press('.redo').addEventListener('click', () => view.redo());
  press('.reset').addEventListener('click', () => view.reset());
  return () => {
    find(root, '.changes').textContent = view.done
      ? `${view.done} so far; the last: ${said(view)}.`
      : 'None. Change a number under “Matrices”, or switch a rule off under “Rules”; all follows at once.';
    press('.undo').disabled = !view.done;
    press('.redo').disabled = view.done === view.log.length;
    press('.reset').disabled = !view.log.length;
  };
}

/** @param {import('./state.js').View} view */
function said({ log, done, model }) {
  const edit = log[done - 1];
  if ('rules' in edit) return `${model.rules[edit.rules[0]].path} switched ${edit.on ? 'on' : 'off'}`;
  const { rows, columns } = /** @type {{rows: string[], columns: string[]}} */ (
    model.parts().find(({ part }) => part === edit.part));
  return `${edit.part}, ${rows[edit.row]} to ${columns[edit.column]}, is ${number(edit.value)}`;
}
