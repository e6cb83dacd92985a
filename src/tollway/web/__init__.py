"""The pages: what people read and click, drawn on the server.

Owns no table and no rule. A page asks operations, like any other caller, and shows what they answer.

- `rendering` turns a template and its context into HTML; each template names its context in its first comment.
- `charts` draws numbers as SVG, always with a table of the same numbers beneath.
- `markdown` turns the guides in `docs/` into pages.
- `static/` is served as it is: no build step, nothing fetched from another host. `static/manifest.json` lists
  what others wrote, with version, licence and hash.

Two rules hold for every page. It works with no script: reading, and every form. And it runs under a
Content-Security-Policy without `unsafe-*`, so no template holds a `style` attribute or an inline script; lengths that
depend on numbers are SVG attributes in percent.
"""
