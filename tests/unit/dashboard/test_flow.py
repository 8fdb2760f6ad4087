from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as some

from dashboard.flow import HEIGHT, PERIOD_MS, WIDTH, Station, picture, sparkline

SVG = "{*}"


def ring(**first: object) -> str:
    stations = [Station(label="Outputs", value="1", **first)]  # type: ignore[arg-type]
    stations += [Station(label=f"Station {n}", value=str(n)) for n in range(1, 10)]
    return picture(stations, "Champion", ["default: m2"], feedback=False, home=True, now=PERIOD_MS + 400)


def test_every_station_is_inside_and_none_overlap() -> None:
    boxes = [
        tuple(float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        for rect in ElementTree.fromstring(ring()).iter("rect")
    ]
    assert len(boxes) == 10
    for x, y, width, height in boxes:
        assert 0 <= x <= x + width <= WIDTH
        assert 0 <= y <= y + height <= HEIGHT
    for n, (x, y, width, height) in enumerate(boxes):
        for other_x, other_y, *_ in boxes[n + 1 :]:
            assert abs(x - other_x) >= width or abs(y - other_y) >= height


def test_dots_run_only_towards_a_lively_station() -> None:
    assert "pf-dots" not in ring()
    assert ring(lively=True).count("pf-dots") == 1


def test_the_animation_goes_on_where_the_clock_is() -> None:
    assert "--pf-phase:-400ms" in ring()


def test_progress_is_drawn_within_its_track() -> None:
    def done(share: float) -> float:
        drawn = ElementTree.fromstring(ring(progress=share)).findall(".//rect[@class='pf-done']")
        return float(drawn[0].attrib["width"])

    assert done(-1) == 0
    assert done(2) == done(1) == 2 * done(0.5)


@given(some.text(alphabet=some.characters(categories=("L", "N", "P", "S"))))
def test_words_from_outside_stay_words(text: str) -> None:
    drawn = ElementTree.fromstring(ring(note=text))
    assert text in [node.text or "" for node in drawn.iter("text")] or text == ""
    assert not list(drawn.iter("script"))


@given(some.lists(some.floats(min_value=0, max_value=1e9), min_size=2, max_size=80))
def test_a_sparkline_stays_in_its_box(values: list[float]) -> None:
    line = ElementTree.fromstring(sparkline(values, width=100, height=30)).find("polyline")
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    assert len(points) == len(values)
    assert all(0 <= x <= 100.1 and 0 <= y <= 30 for x, y in points)


def test_one_value_makes_no_line() -> None:
    assert sparkline([3]) == ""
