/** The report's style: light and dark by the reader's preference, five colours that the colour-blind can tell apart. */
export const PAGE_STYLE = `
:root { color-scheme: light dark;
  --paper: #ffffff; --ink: #1f2430; --soft: #5b6372; --grid: #dfe3ea; --panel: #f6f7f9; --bad: #b3261e;
  --locked: #4a5263; --v7: #0072b2; --mainline: #b25a00; --lockless: #00805f; --adaptive: #a3428c;
  --good: #1b7a3d; --queue: #4477aa; --group: #66ccee; --work: #228833; --handler: #ccbb44; --response: #ee6677; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #14171d; --ink: #e4e7ec; --soft: #9aa3b2; --grid: #2e3440; --panel: #1b1f27; --bad: #ff8a80;
  --locked: #b4bccb; --v7: #56b4e9; --mainline: #e69f00; --lockless: #2fc99b; --adaptive: #e08bc6; --good: #7fd99a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 24px; max-width: 1240px; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 19px; margin: 36px 0 8px; } h3 { font-size: 15px; margin: 0; }
p { margin: 4px 0; } ul { margin: 4px 0; padding-left: 20px; } .soft { color: var(--soft); } .bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 8px 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); gap: 0 48px; }
.scroll { overflow-x: auto; }
table.figures { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
.figures caption { text-align: left; color: var(--soft); padding-bottom: 6px; max-width: calc(100vw - 24px); }
.figures th, .figures td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--grid); vertical-align: top; white-space: nowrap; }
.figures.narrow th, .figures.narrow td { padding: 1px 8px; font-size: 12px; border: 0; }
.figures thead th { border-bottom: 2px solid var(--soft); }
.figures td.word, .figures th.word { text-align: left; }
.figures small { display: block; color: var(--soft); font-size: 12px; } .figures small.bad { color: var(--bad); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 520px), 1fr)); gap: 20px; margin-top: 16px; }
figure { margin: 0; padding: 14px; background: var(--panel); border-radius: 8px; min-width: 0; }
figure header { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: center; min-height: 30px; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: 4px 10px; align-items: center; font-size: 13px; margin: 6px 0 10px; }
.bars h4 { grid-column: 1 / -1; margin: 4px 0 0; font-size: 13px; font-weight: 500; color: var(--soft); }
.bar { display: flex; height: 16px; } .bar i { display: block; min-width: 0; }
.forest { display: block; width: 132px; height: 16px; } .forest line { stroke: currentColor; stroke-width: 1.5; } .forest .zero { stroke: var(--grid); }
.forest circle { fill: currentColor; }
@media (max-width: 560px) { body { padding: 12px; } figure { padding: 10px; } dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; } }
.keys { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 13px; }
figcaption { color: var(--soft); font-size: 13px; }
.plot { min-height: 300px; } .plot.empty::before { content: 'Nothing was measured here.'; color: var(--soft); }
.plot .u-legend { font-size: 12px; text-align: left; } .plot .u-legend.u-inline .u-value { min-width: 58px; }
select { max-width: 100%; min-width: 0; box-sizing: border-box; font: inherit; font-size: 13px; color: inherit; background: var(--paper); border: 1px solid var(--grid); border-radius: 4px; padding: 2px 6px; }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
`;
