// Shared by the table that decides and the pictures: a run's mark, and samples told apart by who does better on them.
const L = window.loupe;
const mark = L.mark;
const SIGN = { only_run: "win", wins: "win", only_baseline: "loss", losses: "loss", neither: "tie", both: "tie", ties: "tie" };
const TONES = { win: "ok", loss: "no", tie: "" };
const groups = (list, vars, run) => {
  const total = Math.max(1, list.reduce((n, g) => n + g.n, 0));
  return `<div class="split" aria-hidden="true">${list.map((g) => `<s class="${SIGN[g.name]}" style="flex:${g.n / total} 1 0"></s>`).join("")}</div><div class="groups">${list
    .map((g) => `<button type="button" class="${SIGN[g.name]}" data-group="${L.esc(g.name)}" data-run="${run}" data-n="${g.n}"${g.on === undefined ? "" : ` aria-pressed="${g.on}"`} title="${L.esc(L.t(`ui.vs.title.${g.name}`, vars))}"><em class="${TONES[SIGN[g.name]]}"></em><b>${L.int(g.n)}</b> ${L.esc(L.t(`ui.vs.group.${g.name}`, vars))}</button>`)
    .join("")}</div>`;
};
