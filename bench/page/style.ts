/**
 * style — the sheet of a report: light and dark, narrow and wide, and on paper.
 */

const LIGHT =
  "--ground:#fff;--ink:#1b2026;--quiet:#566069;--line:#d8dee4;--stripe:#f6f8fa;" +
  "--ours:#e8f1fc;--link:#0059b8;--good:#0b6b3a;--bad:#a33a00;color-scheme:light";
const DARK =
  "--ground:#12161c;--ink:#e6eaef;--quiet:#a2abb5;--line:#2f3740;--stripe:#181d24;" +
  "--ours:#16293f;--link:#5db0ff;--good:#63c98f;--bad:#ff9d66;color-scheme:dark";

/** CSS; nothing in it is fetched. */
export const STYLE = `
:root{${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
  font:16px/1.55 system-ui,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 20px 64px;overflow-wrap:anywhere}
h1{font-size:1.9rem;line-height:1.2;margin:.4em 0 .6em}
h2{font-size:1.45rem;line-height:1.25;margin:2.2em 0 .6em;padding-top:.6em;
  border-top:1px solid var(--line)}
h3{font-size:1.15rem;margin:1.8em 0 .5em}
h4,h5,h6{font-size:1rem;margin:1.5em 0 .4em}
p,ul,ol{margin:.7em 0}
ul,ol{padding-left:1.4em}
li{margin:.35em 0}
a{color:var(--link)}
code{font:.9em/1.4 ui-monospace,"DejaVu Sans Mono",monospace;background:var(--stripe);
  padding:.1em .3em;border-radius:3px}
pre{overflow-x:auto;background:var(--stripe);border:1px solid var(--line);border-radius:6px;
  padding:12px 14px}
pre code{background:none;padding:0}
nav{font-size:.95rem;columns:2 300px;margin:1.2em 0 2em}
nav ul{list-style:none;margin:0;padding:0}
nav li{margin:.15em 0;break-inside:avoid}
nav .deep{padding-left:1.2em}
.scroll{overflow-x:auto;margin:1em 0;border:1px solid var(--line);border-radius:6px}
.scroll:focus-visible{outline:2px solid var(--link)}
table{border-collapse:separate;border-spacing:0;width:100%;font-size:.875rem;line-height:1.4;
  overflow-wrap:normal;font-variant-numeric:tabular-nums}
th,td{padding:7px 10px;text-align:left;vertical-align:top;background:var(--ground);
  border-bottom:1px solid var(--line)}
tr:last-child td{border-bottom:0}
th{font-weight:600;vertical-align:bottom;background:var(--stripe)}
th:first-child,td:first-child{position:sticky;left:0;min-width:9em;max-width:min(20em,42vw);
  border-right:1px solid var(--line)}
.wide th:first-child{min-width:min(18.5em,36vw)}
.number{text-align:right}
td.number{white-space:nowrap}
.ours td{background:var(--ours)}
.ours td:first-child{font-weight:600}
.good{color:var(--good);font-weight:600}
.bad{color:var(--bad);font-weight:600}
figure{margin:1.4em 0}
.lead{font-size:1.1rem}
.drawing{overflow-x:auto;border:1px solid var(--line);border-radius:6px}
.drawing svg{display:block;max-width:100%;height:auto;margin:0 auto}
.night{display:none}
@media (prefers-color-scheme:dark){.day{display:none}.night{display:block}}
details{font-size:.875rem;color:var(--quiet);margin-top:6px}
summary{cursor:pointer}
@media (max-width:760px){
  main{padding:12px 14px 48px}
  h1{font-size:1.5rem}
  .drawing svg{max-width:none;width:720px}
  .drawing::before{content:"scroll ↔";position:sticky;left:0;display:block;width:max-content;
    padding:2px 8px;font-size:.8rem;color:var(--quiet)}
}
@media print{
  :root{${LIGHT}}
  main{max-width:none;padding:0}
  body{font-size:10pt}
  nav,details{display:none}
  .night{display:none}
  .day{display:block}
  .drawing,.scroll{overflow:visible;border:0}
  .drawing svg{width:auto;max-width:100%}
  figure,tr{break-inside:avoid}
  table{font-size:7.5pt}
  th,td{padding:3px 5px}
  td.number{white-space:normal}
  .wide th:first-child{min-width:9em}
  th:first-child,td:first-child{position:static;max-width:none}
}
`;
