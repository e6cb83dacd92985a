"""PHONETIC over the readings that files store beside Japanese texts."""

import pytest
from tests.engine.raw_workbooks import MAIN, OFFICE, ROOT_RELATIONS, parts_of, zipped
from tests.engine.sheets import computed, value_of

from tollway.engine import read_workbook
from tollway.engine.values import ErrorValue

STRINGS = f"""<sst xmlns="{MAIN}"><si><t>東京タワーと城</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh>
<rPh sb="6" eb="7"><t>シロ</t></rPh><phoneticPr fontId="1"/></si>
<si><t>山田</t><rPh sb="0" eb="2"><t>ヤマダ</t></rPh><phoneticPr fontId="1" type="Hiragana"/></si>
<si><r><t>画</t></r><r><t>家</t></r><rPh sb="0" eb="2"><t>ガカ</t></rPh>
<phoneticPr fontId="1" type="halfwidthKatakana"/></si>
<si><t>𠮷野</t><rPh sb="0" eb="2"><t>よし</t></rPh><rPh sb="2" eb="3"><t>の</t></rPh>
<phoneticPr fontId="1" type="noConversion"/></si><si><t>foo ｶﾞさくら</t></si>
<si><t>字</t><rPh sb="0" eb="9"><t>ジ</t></rPh><rPh sb="x" eb="1"><t>ジ</t></rPh></si></sst>"""
ROWS = """<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c>
<c r="D1" t="s"><v>3</v></c><c r="E1" t="s"><v>4</v></c><c r="F1" t="s"><v>5</v></c><c r="G1"><v>7</v></c>
<c r="H1" t="str"><f>B1</f><v>山田</v></c>
<c r="I1" t="inlineStr"><is><t>春</t><rPh sb="0" eb="1"><t>ハル</t></rPh></is></c></row>"""


def read_as(tmp_path, formula, application=None):
    parts = parts_of(ROWS + f'<row r="2"><c r="A2"><f>{formula}</f><v>0</v></c></row>', strings=STRINGS)
    if application:
        link = f'<Relationship Id="r9" Type="{OFFICE}/extended-properties" Target="docProps/app.xml"/>'
        parts["_rels/.rels"] = ROOT_RELATIONS.replace("</Relationships>", link + "</Relationships>")
        parts["docProps/app.xml"] = f"<Properties><Application>{application}</Application></Properties>"
    return computed(read_workbook(zipped(tmp_path, parts)))["S!A2"]


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("PHONETIC(A1)", "トウキョウタワートシロ"),
        ("PHONETIC(B1)", "やまだ"),
        ("PHONETIC(C1)", "ｶﾞｶ"),
        ("PHONETIC(D1)", "よしの"),
        ("PHONETIC(E1)", "foo ガサクラ"),
        ("PHONETIC(F1)", "字"),
        ("PHONETIC(I1)", "ハル"),
        # Numbers and formulas count for nothing; texts are read one after the other.
        ("PHONETIC(G1:H1)", ""),
        ("PHONETIC(B1:D1)", "やまだｶﾞｶよしの"),
        ('PHONETIC("山田")', ErrorValue.VALUE),
    ],
)
def test_japanese_texts_are_read_as_the_file_says(tmp_path, formula, expected):
    assert read_as(tmp_path, formula) == expected


def test_excel_for_the_macintosh_gives_not_available_without_a_reading(tmp_path):
    assert read_as(tmp_path, "PHONETIC(A1)", "Microsoft Macintosh Excel") == "トウキョウタワートシロ"
    assert value_of("=PHONETIC(A1)", {"A1": "foo"}) == "foo"
    saved_there = {"application": "Microsoft Macintosh Excel"}
    assert value_of("=PHONETIC(A1)", {"A1": "foo"}, **saved_there) is ErrorValue.NA
