"""The report in a browser: its filters are clicked, and nothing is complained about or loaded."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from cnncomm_bench import bundled
from cnncomm_bench.attacks import parse
from cnncomm_bench.data.images import Images
from cnncomm_bench.evaluation import Request, execute
from cnncomm_bench.models.loading import open_model
from cnncomm_bench.results import RunConfig, suites

HOSTILE = '<b onclick=alert(1)>"&</script>'
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where the report of a small run of two models lies."""
    images, labels, names = bundled.images()
    chosen = np.arange(60)
    data = Images("bundled", images[chosen], labels[chosen], names, "a" * 64)
    models = [open_model("bundled:standard"), replace(open_model("bundled:adversarial"), name=HOSTILE)]
    specs = ["gaussian", "cauchy", "impulse-square", "pgd:steps=2"]
    suite = suites.build("test", attacks=[parse(spec) for spec in specs], snr_db=[0, 10, 20, 30],
                         rulers=["realised", "dispersion"])  # fmt: skip
    folder = tmp_path_factory.mktemp("run")
    execute(Request.of(RunConfig.of(out=folder), models, data, suite), command="cnncomm-bench", quiet=True)
    return (folder / "report.html").as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium with chromedriver is installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture(params=[(1280, 900, "light"), (375, 800, "dark")], ids=str)
def opened(request, browser, address):
    """The page at the size of a desktop and of a phone; at the end there must be no error in the console."""
    width, height, scheme = request.param
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    feature = {"name": "prefers-color-scheme", "value": scheme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(address)
    yield browser
    assert [entry for entry in browser.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []


def click(browser, selector):
    element = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
    element.click()


def drawn(browser):
    """Names of the curves in the chart."""
    return browser.execute_script("return document.getElementById('chart').data.map(t => t.name).filter(Boolean)")


def test_filters_choose_the_curves(opened):
    # gaussian and cauchy under two rulers, the others under one, each for two models
    assert len(drawn(opened)) == 12
    assert opened.find_element("id", "shown").text == "12 of 12 curves shown"
    click(opened, '[data-filter="kind"][value="noise"]')
    assert len(drawn(opened)) == 2
    click(opened, '[data-filter="kind"][value="noise"]')
    click(opened, '[data-filter="model"][value="1"]')
    assert len(drawn(opened)) == 6
    assert all("standard" in name for name in drawn(opened))
    click(opened, '[data-filter="ruler"][value="1"]')
    assert len(drawn(opened)) == 4
    click(opened, '[data-filter="attack"][value="0"]')
    assert [name.split(",")[0] for name in drawn(opened)] == ["cauchy", "impulse-square", "pgd:steps=2"]
    click(opened, "[data-none]")
    assert drawn(opened) == []
    assert opened.find_element("id", "shown").text == "0 of 12 curves shown"
    click(opened, "[data-all]")
    assert len(drawn(opened)) == 4


def test_filters_work_from_the_keyboard(opened):
    box = opened.find_element("css selector", '[data-filter="model"][value="0"]')
    opened.execute_script("arguments[0].focus()", box)
    box.send_keys(" ")
    assert len(drawn(opened)) == 6
    opened.find_element("css selector", "body").send_keys("\ue004")
    focused = "document.activeElement.closest('label') ?? document.activeElement"
    assert opened.execute_script(f"return getComputedStyle({focused}).outlineStyle") == "solid"


def test_the_axis_can_be_chosen_and_the_intervals_left_out(opened):
    def title():
        return opened.execute_script("return document.getElementById('chart').layout.yaxis.title.text")

    assert title() == "accuracy drop"
    click(opened, '[name="axis"][value="bits"]')
    assert title() == "bits per image"
    click(opened, '[name="axis"][value="accuracy"]')
    assert title() == "accuracy"
    bands = "return document.getElementById('chart').data.filter(t => t.fill === 'toself').length"
    assert opened.execute_script(bands) == 12
    click(opened, "#intervals")
    assert opened.execute_script(bands) == 0


def test_the_gallery_turns(opened):
    def visible(selector):
        parts = f"[...document.querySelectorAll('{selector}')].filter(part => part.checkVisibility())"
        return opened.execute_script(f"return {parts}.map(part => part.textContent)")

    assert len(visible("#gallery .picture")) == 1 + 6 * 4  # the clean one, then attacks and rulers times SNRs
    assert visible("#gallery .noise") == []
    assert opened.execute_script("return [...document.images].every(image => image.complete && image.naturalWidth > 0)")
    click(opened, '[name="view"][value="noise"]')
    assert len(visible("#gallery .noise")) == 6 * 4
    before = visible("#gallery .answer")
    click(opened, '[name="whose"][value="1"]')
    assert len(visible("#gallery .answer")) == len(before)
    assert visible("#gallery .answer") != before
    click(opened, '[name="which"][value="1"]')
    assert len(visible("#gallery .gallery-image")) == 1


def test_names_are_shown_as_they_are(opened):
    assert opened.execute_script("return document.querySelectorAll('[onclick]').length") == 0
    assert HOSTILE in opened.find_element("id", "thresholds").text
    assert any("&lt;b onclick" in name for name in drawn(opened))


def test_it_fits_the_screen_and_asks_no_network(opened):
    assert opened.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    fetched = opened.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert [name for name in fetched if not name.startswith(("data:", "blob:"))] == []
    # Plotly offers to upload charts unless told otherwise.
    buttons = opened.execute_script("return [...document.querySelectorAll('.modebar-btn')].map(b => b.dataset.title)")
    assert len(buttons) == 6
    assert not [button for button in buttons if "loud" in button or "hare" in button or "lotly" in button]
    ground = opened.execute_script("return getComputedStyle(document.body).backgroundColor")
    dark = opened.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches")
    assert (sum(int(part) for part in ground[4:-1].split(",")) < 200) == dark
