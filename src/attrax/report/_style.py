"""The style of a page: light and dark, wide and narrow, on screen and on paper."""

from html import escape

_STYLE = """
:root{color-scheme:light dark;--ink:#1a1c1f;--soft:#575c63;--paper:#fff;--card:#f4f5f7;--line:#d9dce1;
--good:#00664a;--bad:#a83f00;--link:#005a9c}
@media(prefers-color-scheme:dark){:root{--ink:#e9eaec;--soft:#a6abb3;--paper:#15171a;--card:#202327;--line:#3a3f46;
--good:#4fd1a5;--bad:#ff9d66;--link:#7cc0f5}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:64rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .4rem}
h2{font-size:1.25rem;margin:2.4rem 0 .5rem;padding-top:.6rem;border-top:1px solid var(--line)}
h3{font-size:1.02rem;margin:1.5rem 0 .4rem}
p{max-width:44rem;margin:.5rem 0}
.soft{color:var(--soft)}
.good{color:var(--good)}.bad{color:var(--bad)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:1.2rem 0;padding:0}
.figures div{background:var(--card);border-radius:.5rem;padding:.7rem .9rem}
.figures dd{margin:0;font-size:1.35rem;font-weight:650;line-height:1.25;overflow-wrap:anywhere}
.figures dt{font-size:.85rem;color:var(--soft)}
.cues{display:grid;grid-template-columns:repeat(auto-fill,minmax(10.4rem,1fr));gap:.5rem;margin:.6rem 0;padding:0;
list-style:none}
.cues li{background:var(--card);border-radius:.4rem;padding:.4rem;border-left:4px solid var(--good)}
.cues li.miss{border-left:4px dashed var(--bad)}
.trio{display:grid;grid-template-columns:repeat(3,1fr);gap:.25rem}
.trio img{width:100%;height:auto;display:block;image-rendering:pixelated;background:#000}
.cues .what{display:flex;justify-content:space-between;gap:.3rem;font-size:.8rem;line-height:1.3;margin-top:.3rem}
.what b{font-weight:600}.what span{white-space:nowrap}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
th,td{padding:.35rem .7rem;text-align:right;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}
th:first-child,td:first-child,.left{text-align:left}
td small{display:block;color:var(--soft);white-space:nowrap}
td .name{white-space:nowrap}thead th{vertical-align:bottom;min-width:5.5rem}
td.best{font-weight:700}
figure{margin:1rem 0;max-width:38rem}
figure svg{width:100%;height:auto;display:block}
figcaption{color:var(--soft);font-size:.9rem}
.settings{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;font-size:.92rem}
.settings dt{color:var(--soft)}.settings dd{margin:0;overflow-wrap:anywhere}
code,pre{font-family:ui-monospace,monospace;font-size:.9em}
pre{background:var(--card);border-radius:.4rem;padding:.7rem .9rem;overflow-x:auto}
details{margin:.6rem 0}summary{cursor:pointer;color:var(--link)}
@media(max-width:34rem){table.stack thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table.stack,table.stack tbody,table.stack tr,table.stack td{display:block;width:100%}
table.stack tr{background:var(--card);border-radius:.4rem;padding:.5rem .8rem;margin:.5rem 0}
table.stack td{border:0;padding:.1rem 0;display:flex;justify-content:space-between;gap:1rem;text-align:right}
table.stack td::before{content:attr(data-name);color:var(--soft);text-align:left}
table.stack td:first-child{font-weight:650;text-align:left}table.stack td:first-child::before{content:none}
table.stack td small{display:inline;margin-left:.4rem}}
"""


def document(title: str, body: str, style: str = "") -> str:
    """A complete HTML page. `body` is already escaped HTML, `title` is plain text; `style` is added to the common
    style.

    ```python
    >>> from attrax import report
    >>> page = report.document("Three faces", "<p>All three came back.</p>")
    >>> page.startswith("<!doctype html>"), "All three came back." in page
    (True, True)

    ```
    """
    # The empty icon keeps browsers from requesting one from a server.
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{escape(title)}</title>
<style>{_STYLE}{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
