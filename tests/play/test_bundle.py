"""Modules joined into one script."""

import pytest

from attrax.play._bundle import bundle  # the script without its page


def joined(**modules: str) -> str:
    return bundle("app", modules.__getitem__)


def test_order_and_exports() -> None:
    script = joined(
        app='import { one, two } from "./low.js";\nimport {\n  three,\n} from "./other.js";\none();\n',
        other='import { one } from "./low.js";\nexport class three {}\n',
        low="export const one = 1;\nexport function* two() {}\nexport async function four() {}\n",
    )
    assert script.index("module_low =") < script.index("module_other =") < script.index("module_app =")
    assert script.count("module_low =") == 1
    assert "return {one, two, four};" in script
    assert "const {three} = module_other;" in script
    assert "export" not in script
    assert "import" not in script


@pytest.mark.parametrize(
    "text",
    [
        'import * as all from "./low.js";\n',
        'import { one as two } from "./low.js";\n',
        "export default 3;\n",
        "export { one };\n",
        'import { one } from "https://example.org/low.js";\n',
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"can't be joined|plain names"):
        joined(app=text, low="export const one = 1;\n")


def test_circles_are_refused() -> None:
    with pytest.raises(ValueError, match="app → low → app"):
        joined(
            app='import { one } from "./low.js";\nexport const two = 2;\n',
            low='import { two } from "./app.js";\nexport const one = 1;\n',
        )
