"""The site: `nox -s docs` builds it in docs/_build/html, with every warning an error.

Pages are written to be read on the repository's host as well, so they link to files relative to their own place.
`relink` turns what leads out of docs/ into pages of the site. Nothing is loaded from other hosts: furo has its own
style sheets and uses the reader's fonts, and matplotlib draws the formulas. MathJax would be megabytes of scripts, and
MathML looks well only where the reader has a font for mathematics.
"""

import hashlib
import html
import os
import re
from pathlib import Path

import matplotlib
from docutils import nodes
from matplotlib import font_manager, mathtext
from pygments.lexers import get_lexer_for_filename
from pygments.util import ClassNotFound

import fastbp

DOCS = Path(__file__).parent
ROOT = DOCS.parent
GALLERY = ROOT / "examples" / "gallery"
matplotlib.use("agg")

project, author, copyright = "fastbp", "fastbp developers", "fastbp developers, BSD-3-Clause"    # noqa: A001
release = version = fastbp.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "sphinx_gallery.gen_gallery"]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py"]
templates_path = ["_templates"]
default_role = "py:obj"
smartquotes = False     # what is quoted is mostly to be typed
nitpicky = False    # docstrings quote names of arguments, too

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
# Files of the repository that a page links to, each of which gets a page with its text.
myst_url_schemes = {"http": None, "https": None, "code": {"url": "code/{{path}}.html"}}

autosummary_generate = True
autodoc_mock_imports = ["torch", "keras", "dask"]   # their bridges are described without them
autodoc_typehints = "none"                  # numpydoc's sections have the types in words
numpydoc_show_class_members = False         # the template of classes lists them
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": str(GALLERY),
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "abort_on_example_error": True,
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "remove_config_comments": True,
    "thumbnail_size": (480, 320),
}

html_theme = "furo"
html_title = "fastbp"
html_static_path = ["_static"]
html_css_files = ["fastbp.css"]
html_favicon = "_static/favicon.svg"
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}

# Pages that are files of the root, which the repository's host shows there.
AT_ROOT = {"changelog": "CHANGELOG.md", "contributing": "CONTRIBUTING.md", "security": "SECURITY.md"}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")


def heading(path):
    return re.search("^# (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)[1]


def relink(app, docname, source):
    """Replace a page that stands for a file of the root by that file, and all links by those of the site.

    A link whose text is the name of a page gets the page's heading as its text.
    """
    if not (DOCS / f"{docname}.md").exists():
        return
    base = DOCS
    if docname in AT_ROOT:
        base = ROOT
        source[0] = (ROOT / AT_ROOT[docname]).read_text(encoding="utf-8")

    def link(match):
        image, text, target = match.groups()
        path, hash_, anchor = target.partition("#")
        if not path or ":" in path:
            return match[0]
        path = (base / path).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return match[0]     # which the build reports
        if text.endswith(path.name) and path.suffix == ".md":
            text = heading(path)
        if path.is_dir() and path != GALLERY:
            return text
        if image or path.is_relative_to(DOCS):
            return f"{image}[{text}]({os.path.relpath(path, DOCS)}{hash_}{anchor})"
        name = path.relative_to(ROOT).as_posix()
        for page, file in AT_ROOT.items():
            if name == file:
                return f"[{text}]({page}.md{hash_}{anchor})"
        if path == GALLERY or path.parent == GALLERY:
            return f"[{text}](gallery/{'index' if path == GALLERY else path.stem}.rst)"
        app.env.linked_files = getattr(app.env, "linked_files", set()) | {name}
        return f"[{text}](code:{name})"

    source[0] = LINK.sub(link, source[0])


def pages_of_code(app):
    """A page for each file that another page links to."""
    for name in sorted(getattr(app.env, "linked_files", ())):
        text = (ROOT / name).read_text(encoding="utf-8")
        try:
            language = get_lexer_for_filename(name).aliases[0]
        except ClassNotFound:
            language = "cython" if name.endswith((".pxi", ".pxd")) else "text"
        code = app.builder.highlighter.highlight_block(text, language, force=True)
        yield f"code/{name}", {"title": name, "body": f"<h1>{name}</h1>\n{code}"}, "page.html"


def picture_of(self, node):
    """The formula as an SVG whose size follows that of the text around it."""
    tex, points = " ".join(node.astext().split()), 12
    file = Path(self.builder.outdir, "_images", f"formula-{hashlib.sha256(tex.encode()).hexdigest()[:16]}.svg")
    file.parent.mkdir(exist_ok=True)
    with matplotlib.rc_context({"mathtext.fontset": "cm", "savefig.facecolor": "none", "svg.hashsalt": "fastbp"}):
        depth = mathtext.math_to_image(f"${tex}$", file, font_manager.FontProperties(size=points), 72, "svg")
    height = float(re.search(r'height="([\d.]+)pt"', file.read_text(encoding="utf-8"))[1])
    source = f"{'../' * self.builder.current_docname.count('/')}_images/{file.name}"
    style = f"height: {height / points:.3f}em; vertical-align: {-depth / points:.3f}em"
    return f'<img class="formula" src="{source}" alt="{html.escape(tex)}" style="{style}">'


def draw_inline(self, node):
    self.body.append(picture_of(self, node))
    raise nodes.SkipNode


def draw_block(self, node):
    self.body.append(f'<div class="formulas">{picture_of(self, node)}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer("mathtext", (draw_inline, None), (draw_block, None))
    app.connect("source-read", relink)
    app.connect("html-collect-pages", pages_of_code)
    return {"parallel_read_safe": True}
