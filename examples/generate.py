"""Writes the generated examples anew: `python -m examples.generate`, from the project's root.

Firms, usage records and issuance sheets of an invented province. The same files come out every time: the draws are
hashes of a name and a row, so they depend on no library's random numbers. All names are invented.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import xlsxwriter  # type: ignore[import-untyped]  # ships no type information
from stdnum.cn import uscc

from app.kernel.regions import covers
from app.kernel.uscc import organisation_check

EXAMPLES = Path(__file__).parent

T = TypeVar("T")


class Firm(NamedTuple):
    """A row of firms.csv. `region_code` is the district where the firm is registered; `contact` signs in for it."""

    name: str
    uscc: str
    region_code: str
    size: str
    industry: str
    contact: str


FIRM_LIST = """
杭州云岫智能科技   330106 medium 人工智能软件       沈知夏
杭州砚溪数据技术   330106 small  数据服务           顾怀瑾
杭州听澜语音科技   330108 medium 人工智能软件       陆听雨
杭州拾光屿影像     330108 micro  数字内容           许拾安
杭州青梧医疗影像   330108 large  医疗器械           叶青禾
杭州远岑自动驾驶   330110 large  智能网联汽车       江远舟
杭州观澄工业视觉   330110 medium 智能装备           苏观宁
杭州木樨里文化科技 330102 micro  数字内容           程木兰
杭州竹间农业科技   330112 small  智慧农业           方竹君
杭州鹤汀机器人     330109 large  机器人             宋鹤鸣
杭州星桁航天软件   330114 medium 航空航天           秦星野
杭州南屿教育科技   330105 small  教育软件           何南乔
杭州泊岸金融信息   330111 small  金融科技           罗泊远
杭州松针芯片设计   330113 medium 集成电路           唐松年
宁波潮信港航科技   330206 large  智慧物流           周潮生
宁波甬屿精密模具   330212 medium 模具制造           郑屿安
宁波锚地船舶设计   330206 medium 船舶工业           吴锚行
宁波海蒲新材料     330211 small  新材料             冯海棠
宁波帆影纺织智造   330203 medium 纺织服装           陈帆远
宁波砺石机床       330212 large  智能装备           李砺成
宁波铜盘电机       330205 small  电机制造           王铜驼
宁波北堤汽车零部件 330211 large  汽车零部件         赵北辰
宁波渔火海洋信息   330213 micro  海洋信息           孙渔歌
宁波石浦湾食品科技 330281 small  食品制造           钱浦泽
温州雁屿鞋服智造   330302 medium 纺织服装           林雁秋
温州瓯帆电气       330382 large  电气制造           黄瓯生
温州榕荫眼镜科技   330304 small  眼镜制造           徐榕溪
温州江心岛文旅数据 330302 micro  数字内容           朱江月
温州楠溪里中药科技 330303 small  医药制造           胡楠清
温州鹿衔包装机械   330381 medium 智能装备           郭鹿野
温州塘河水务科技   330304 small  环保科技           马塘生
温州飞云渡泵阀     330381 medium 泵阀制造           高云飞
慈溪杨梅坞小家电   330282 medium 家用电器           潘梅初
慈溪上林瓷数字文化 330282 micro  数字内容           袁上林
慈溪湖塘轴承       330282 large  轴承制造           蒋湖生
慈溪越釉新材料     330282 small  新材料             蔡越明
慈溪滨湾机器人     330282 medium 机器人             余滨海
慈溪横河里电子     330282 small  电子元件           杜横舟
慈溪观海传感科技   330282 small  传感器             戴观澜
慈溪坎墩坊照明     330282 micro  照明器具           夏坎平
"""


class Programme(NamedTuple):
    """What an issuance sheet is made from. The key is the one of province.toml."""

    key: str
    region_code: str
    reference: str
    face_values: dict[str, str]
    industries: frozenset[str] = frozenset()


COMPUTE_VALUES = {"micro": "50,000.00", "small": "100,000.00", "medium": "200,000.00", "large": "300,000.00"}
COUNTY_VALUES = {"micro": "20,000.00", "small": "30,000.00", "medium": "60,000.00", "large": "120,000.00"}
ASSESSMENT_VALUES = {"small": "30,000.00", "medium": "50,000.00", "large": "80,000.00"}

PROGRAMMES = [
    Programme("hangzhou-compute", "330100", "HZ-SL", COMPUTE_VALUES),
    Programme("ningbo-compute", "330200", "NB-SL", COMPUTE_VALUES),
    Programme("wenzhou-compute", "330300", "WZ-SL", COMPUTE_VALUES),
    Programme("cixi-compute", "330282", "CX-SL", COUNTY_VALUES),
    Programme(
        "ningbo-assessment",
        "330200",
        "NB-ZP",
        ASSESSMENT_VALUES,
        frozenset({"模具制造", "船舶工业", "纺织服装", "智能装备", "电机制造", "汽车零部件"}),
    ),
]
COUNTIES_THAT_ISSUE = frozenset({"330282"})

ISSUANCE_HEADINGS = ("申领编号", "统一社会信用代码", "企业名称", "面值（元）", "生效日期", "截止日期", "备注")
ISSUANCE_TEMPLATE = "voucher-issuance/1"
USAGE_HEADINGS = (
    "job_id",
    "gpu_model",
    "cards",
    "share_milli",
    "submitted_at_s",
    "started_at_s",
    "ended_at_s",
    "state",
)
USAGE_ROWS = 400


def firms() -> list[Firm]:
    """The forty firms with valid 统一社会信用代码 of their districts."""
    rows = [line.split() for line in FIRM_LIST.strip().splitlines()]
    return [
        Firm(f"{name}有限公司（示例）", _uscc(f"91{region}", f"MA{number:06d}"), region, size, industry, contact)
        for number, (name, region, size, industry, contact) in enumerate(rows, start=1001)
    ]


def _uscc(head: str, body: str) -> str:
    code = head + body + organisation_check(body)
    return f"{code}{uscc.calc_check_digit(code)}"


def issuance_rows(programme: Programme) -> Iterator[tuple[str, str, str, str | int]]:
    """Reference, 统一社会信用代码, name and face value in yuan of each voucher; some values are numbers, some text."""
    granted = [
        firm
        for firm in firms()
        if _home(firm) == programme.region_code and (not programme.industries or firm.industry in programme.industries)
    ]
    for number, firm in enumerate(granted, start=1):
        text = programme.face_values[firm.size]
        face_value = text if number % 5 == 0 else int(text.replace(",", "").removesuffix(".00"))
        yield f"{programme.reference}-{number:04d}", firm.uscc, firm.name, face_value


def _home(firm: Firm) -> str:
    """The issuer a firm belongs to: its county where that issues vouchers of its own, else its city."""
    if firm.region_code in COUNTIES_THAT_ISSUE:
        return firm.region_code
    return next(p.region_code for p in PROGRAMMES if covers(p.region_code, firm.region_code))


def usage_rows() -> Iterator[tuple[object, ...]]:
    """Records of GPU jobs in the order of their submission."""
    submitted_s = 0
    for row in range(1, USAGE_ROWS + 1):
        submitted_s += _draw(row, "gap", 60, 18_000)
        uses_gpu = _draw(row, "cpu", 1, 100) > 5
        cards = _pick(row, "cards", [(1, 40), (2, 15), (4, 15), (8, 20), (16, 7), (32, 3)]) if uses_gpu else 0
        share_milli = _pick(row, "share", [(1000, 50), (500, 30), (250, 20)]) if cards == 1 else 1000
        gpu_model = _pick(
            row,
            "model",
            [("Ascend-910B", 35), ("A100-80G", 25), ("H800-80G", 10), ("L20-48G", 20), ("V100-32G", 10)],
        )
        started_s = submitted_s + _draw(row, "wait", 0, 3_600)
        shortest_s, longest_s = _pick(
            row, "length", [((60, 900), 20), ((900, 14_400), 35), ((14_400, 172_800), 30), ((172_800, 864_000), 15)]
        )
        ended_s = started_s + _draw(row, "duration", shortest_s, longest_s)
        state = _pick(row, "state", [("succeeded", 80), ("failed", 14), ("cancelled", 6)])
        ran = _draw(row, "never", 1, 100) > 3
        yield (
            f"job-{row:05d}",
            gpu_model if uses_gpu else "",
            cards,
            share_milli if uses_gpu else 0,
            submitted_s,
            started_s if ran else "",
            ended_s if ran else "",
            state if ran else "pending",
        )


def _draw(row: int, what: str, low: int, high: int) -> int:
    """A whole number from `low` to `high` that depends on the row and on what it is for, and on nothing else."""
    digest = hashlib.sha256(f"examples/usage/{row}/{what}".encode()).digest()
    return low + int.from_bytes(digest[:8], "big") % (high - low + 1)


def _pick(row: int, what: str, weighted: Sequence[tuple[T, int]]) -> T:
    drawn = _draw(row, what, 1, sum(weight for _, weight in weighted))
    for value, weight in weighted:
        drawn -= weight
        if drawn <= 0:
            return value
    raise AssertionError("the weights add up to less than their sum")


def write_csv(path: Path, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A CSV file in UTF-8."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(headings)
        writer.writerows(rows)


def write_issuance(path: Path, programme: Programme) -> None:
    """An issuance sheet as an authority would fill it in: ids as text, dates as dates (left to the rules here)."""
    with xlsxwriter.Workbook(str(path)) as workbook:
        workbook.set_properties({"title": "发放清单", "created": datetime(2026, 1, 1, tzinfo=UTC)})
        bold = workbook.add_format({"bold": True, "bg_color": "#DDEBF7", "border": 1})
        text = workbook.add_format({"num_format": "@"})
        yuan = workbook.add_format({"num_format": "#,##0.00", "align": "right"})
        day = workbook.add_format({"num_format": "yyyy-mm-dd"})

        sheet = workbook.add_worksheet("发放清单")
        sheet.freeze_panes(1, 0)
        for column, (width, form) in enumerate(
            [(14, text), (24, text), (42, text), (16, yuan), (14, day), (14, day), (24, text)]
        ):
            sheet.set_column(column, column, width, form)
        sheet.write_row(0, 0, ISSUANCE_HEADINGS, bold)
        for row, (reference, code, name, face_value) in enumerate(issuance_rows(programme), start=1):
            sheet.write_string(row, 0, reference, text)
            sheet.write_string(row, 1, code, text)
            sheet.write_string(row, 2, name, text)
            if isinstance(face_value, str):
                sheet.write_string(row, 3, face_value, yuan)
            else:
                sheet.write_number(row, 3, face_value, yuan)

        notes = workbook.add_worksheet("说明")
        notes.set_column(0, 0, 18)
        notes.set_column(1, 1, 80)
        for row, (key, value) in enumerate(
            [
                ("模板版本", ISSUANCE_TEMPLATE),
                ("面值（元）", "大于零，最多两位小数"),
                ("生效日期、截止日期", "日期单元格，含当日；留空则按项目规则确定"),
                ("申领编号", "同一项目内不得重复"),
            ]
        ):
            notes.write_string(row, 0, key, bold)
            notes.write_string(row, 1, value, text)


def main(folder: Path = EXAMPLES) -> None:
    """Write every generated example into `folder`."""
    write_csv(folder / "firms.csv", Firm._fields, firms())
    write_csv(folder / "usage.csv", USAGE_HEADINGS, usage_rows())
    for programme in PROGRAMMES:
        write_issuance(folder / f"issuance-{programme.key}.xlsx", programme)


if __name__ == "__main__":
    main()
