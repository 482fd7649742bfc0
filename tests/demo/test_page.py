"""The page in a real browser: pens, fingers, mice, keys and a microphone, read by real models."""

import time
from pathlib import Path

import numpy as np
import pytest

from seqlabel.corpora import folder, own_data
from seqlabel.demo.corpus import write_wav
from seqlabel.inputs import read_audio

RATE = 16000
TONES = [400, 1000, 2500]
"""Hertz of the letters that the microphone hears."""


@pytest.fixture(scope="module")
def browser(start_browser, sound, tmp_path_factory):
    """A browser whose microphone hears "abc" after half a second."""
    spoken = tmp_path_factory.mktemp("microphone") / "abc.wav"
    rng = np.random.default_rng(0)
    quiet = rng.normal(0, 0.003, RATE * 20).astype(np.float32)
    write_wav(spoken, np.concatenate([quiet[:8000], sound("abc", 3), quiet]), RATE)
    with start_browser(
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken}",
        "--autoplay-policy=no-user-gesture-required",
    ) as page:
        yield page


@pytest.fixture
def page(browser, client):
    """The page, opened anew on a wide screen; it has to work without a word of complaint."""
    browser.view(1120, 820)
    browser.open(client.server.gate.address)
    until(browser, "document.body.dataset.ready === 'true'")
    yield browser
    assert browser.problems == []
    own = client.server.gate.address
    assert [address for address in browser.requests if not address.startswith(own)] == []


def until(page, condition: str, seconds: float = 60.0):
    """Wait for a JavaScript expression to become true; returns its value."""
    deadline = time.monotonic() + seconds
    while not (value := page.run(condition)):
        if time.monotonic() > deadline:
            shown = page.run("document.querySelector('#board').innerText")
            pytest.fail(f"{condition} did not come true; the page shows {shown!r}")
        time.sleep(0.05)
    return value


def text(page) -> str:
    return page.run("document.querySelector('#text').textContent")


def corner(page) -> tuple[float, float]:
    return tuple(
        page.run("(box => [box.x, box.y])(document.querySelector('#pad').getBoundingClientRect())")
    )


def write_with_mouse(page, strokes) -> None:
    left, top = corner(page)

    def send(kind: str, x: float, y: float, buttons: int) -> None:
        page.call(
            "Input.dispatchMouseEvent",
            type=kind, x=left + x, y=top + y, button="left", buttons=buttons, clickCount=1,
        )  # fmt: skip

    for stroke in strokes:
        (x, y), *others = stroke[:, :2].tolist()
        send("mousePressed", x, y, 1)
        for x, y in others:
            send("mouseMoved", x, y, 1)
        send("mouseReleased", x, y, 0)


def touch_until_heard(page) -> None:
    """A browser that has just begun to emulate touches may lose some; the pad is empty again."""
    left, top = corner(page)
    page.run("window.touches = 0; addEventListener('pointerdown', () => { touches += 1; }); 0")
    deadline = time.monotonic() + 60
    while not page.run("touches"):
        assert time.monotonic() < deadline, "the page hears no touch"
        point = {"x": left + 20, "y": top + 20, "force": 0.8, "id": 1}
        page.call("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
        page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        time.sleep(0.05)
    page.run("document.querySelector('#clear').click()")
    until(page, "document.querySelector('#undo').disabled")


def write_with_finger(page, strokes) -> None:
    left, top = corner(page)
    for stroke in strokes:
        for n, (x, y) in enumerate(stroke[:, :2].tolist()):
            kind = "touchMove" if n else "touchStart"
            points = [{"x": left + x, "y": top + y, "force": 0.8, "id": 1}]
            page.call("Input.dispatchTouchEvent", type=kind, touchPoints=points)
        page.call("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])


def press(page, key: str, **more) -> None:
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key=key, **more)


def test_what_the_mouse_writes_is_read_while_it_writes(page, ink):
    drawn = ink("cow").strokes
    write_with_mouse(page, drawn[:1])
    until(page, "document.querySelector('#text').textContent.includes('c')")
    write_with_mouse(page, drawn[1:])
    classes, readings = until(
        page,
        "document.querySelector('#text').textContent === 'cow' &&"
        "[[...document.querySelectorAll('#text .label')].map(label => label.className),"
        "[...document.querySelectorAll('#readings li')].map(row => row.innerText.split('\\n'))]",
    )
    assert classes == ["label c0", "label c1", "label c2"]
    assert readings[0][0] == "cow"
    assert len(readings) == 5
    until(page, "performance.getEntriesByName('pen-up to text').length")


def test_letters_are_drawn_in_the_colours_of_the_text(page, ink):
    page.run(
        "window.answers = []; const real = fetch; window.fetch = async (path, options) => {"
        "const answer = await real(path, options);"
        "if (path === 'ink') answers.push([JSON.parse(options.body).strokes,"
        "(await answer.clone().json()).pieces]); return answer; }; 0"
    )
    drawn = ink("vol").strokes
    write_with_mouse(page, drawn)
    until(page, "document.querySelector('#text').textContent === 'vol'")
    # "vol" may be read before the last stroke has been sent, and drawn again after that.
    pairs = until(
        page,
        f"""(async () => {{
          if (answers.at(-1)[0].length !== {len(drawn)}) return null;"""
        """
          await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
          const pad = document.querySelector('#pad');
          const { data } = pad.getContext('2d').getImageData(0, 0, pad.width, pad.height);
          const named = n => getComputedStyle(document.documentElement).getPropertyValue(`--c${n}`);
          const [strokes, pieces] = answers.at(-1);
          return pieces.map(([stroke, first, last, letter]) => {
            const [x, y] = strokes[stroke][(first + last) >> 1];
            const [column, row] = [x, y].map(v => Math.floor(v * devicePixelRatio));
            const at = 4 * (row * pad.width + column);
            const hex = [...data.slice(at, at + 3)].map(v => v.toString(16).padStart(2, '0'));
            return ['#' + hex.join(''), named(letter).trim()];
          });
        })().then(pairs => pairs?.every(([found, wanted]) => found === wanted) ? pairs : null)""",
    )
    assert len({wanted for _, wanted in pairs}) == 3


def test_a_finger_on_a_telephone(browser, client, page, ink):
    browser.view(390, 844, dark=True)
    page.call("Emulation.setTouchEmulationEnabled", enabled=True)
    try:
        browser.open(client.server.gate.address)
        until(page, "document.body.dataset.ready === 'true'")
        assert page.run("document.documentElement.scrollWidth") <= 390
        touch_until_heard(page)
        write_with_finger(page, ink("lo", 70).strokes)
        until(page, "document.querySelector('#text').textContent === 'lo'")
        assert page.run("scrollY") == 0
        assert page.run("document.documentElement.scrollWidth") <= 390
    finally:
        page.call("Emulation.setTouchEmulationEnabled", enabled=False)


def test_no_point_of_a_fast_pen_is_dropped(page):
    """240 points a second, of which the browser shows the page a quarter as events."""
    counted = page.run(
        """(async () => {
          const pad = document.querySelector('#pad');
          const { x, y } = pad.getBoundingClientRect();
          let events = 0;
          pad.addEventListener('pointermove', () => { events += 1; });
          const at = (type, n) => new PointerEvent(type, {
            bubbles: true, pointerId: 1, pointerType: 'pen', isPrimary: true, button: 0, buttons: 1,
            pressure: 0.3, clientX: x + 50 + n / 2, clientY: y + 100 + 30 * Math.sin(n / 20),
            coalescedEvents: [],
          });
          pad.setPointerCapture = () => {};
          pad.dispatchEvent(at('pointerdown', 0));
          for (let n = 0; n < 480; n += 4) {
            const four = [n + 1, n + 2, n + 3, n + 4].map(k => at('pointermove', k));
            const event = new PointerEvent('pointermove', {
              bubbles: true, pointerId: 1, pointerType: 'pen', isPrimary: true, buttons: 1,
              pressure: 0.3, clientX: four[3].clientX, clientY: four[3].clientY,
              coalescedEvents: four,
            });
            pad.dispatchEvent(event);
          }
          pad.dispatchEvent(at('pointerup', 480));
          return events;
        })()"""
    )
    assert counted == 120
    sent = until(page, "document.querySelector('#undo').disabled === false && true")
    assert sent
    body = page.run(
        """(async () => {
          const real = window.fetch;
          const sent = new Promise(done => { window.fetch = (path, options) => {
            if (path === 'ink') done(JSON.parse(options.body).strokes);
            return real(path, options); }; });
          document.querySelector('#decoders input').click();
          const strokes = await sent;
          window.fetch = real;
          return strokes;
        })()"""
    )
    (stroke,) = body
    assert len(stroke) == 481
    assert [point[0] - stroke[0][0] for point in stroke] == [n / 2 for n in range(481)]
    assert {point[3] for point in stroke} == {0.3}
    times = [point[2] for point in stroke]
    assert times == sorted(times)


def test_the_keyboard_undoes_and_clears(page, ink):
    write_with_mouse(page, ink("ol").strokes)
    until(page, "document.querySelector('#text').textContent === 'ol'")
    press(page, "z", modifiers=2)
    until(page, "document.querySelector('#text').textContent === 'o'")
    press(page, "Escape")
    until(page, "document.querySelector('#text').textContent === '…'")
    assert page.run("document.querySelector('#undo').disabled")
    assert page.run("document.querySelector('#ink-hint').hidden") is False


def test_all_controls_can_be_reached_by_keys(page):
    reached = set()
    for _ in range(12):
        press(page, "Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.add(page.run("document.activeElement.id || document.activeElement.name"))
    assert {"tab-ink", "model", "example", "decoder", "right"} <= reached
    page.run("document.querySelector('#tab-ink').focus()")
    press(page, "ArrowRight")
    assert page.run("document.querySelector('#speech').hidden") is False
    assert page.run("document.activeElement.id") == "tab-speech"


def test_the_example_is_written_and_read(page):
    press(page, "e")
    until(page, "document.querySelector('#text').textContent.length > 1", 60)
    page.call(
        "Emulation.setEmulatedMedia",
        features=[{"name": "prefers-reduced-motion", "value": "reduce"}],
    )
    press(page, "Escape")
    until(page, "document.querySelector('#text').textContent === '…'")
    page.run("document.querySelector('#example').click()")
    until(page, "document.querySelector('#text').textContent.length > 1", 60)


def test_another_decoder_reads_what_is_there(page, ink):
    write_with_mouse(page, ink("cow").strokes)
    until(page, "document.querySelectorAll('#readings li').length === 5")
    page.run("document.querySelectorAll('#decoders input')[0].click()")
    until(page, "document.querySelectorAll('#readings li').length === 1")
    assert page.run("document.querySelector('#scale').textContent").endswith("best path")


def test_what_is_wrong_is_kept_with_its_right_text(page, app, ink):
    write_with_mouse(page, ink("cow").strokes)
    until(page, "document.querySelector('#text').textContent === 'cow'")
    page.run("document.querySelector('#right').focus(); document.querySelector('#right').select()")
    page.call("Input.insertText", text="the cow")
    press(page, "Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    kept = until(
        page, "(/kept as (.*)/.exec(document.querySelector('#kept').textContent) ?? [])[1]"
    )
    prepared = folder.prepare(app.corpus.folder, own_data.Options(kind="ink", dev=0, test=0))
    texts = {u.source.name: u.text for u in prepared.splits["train"]}
    assert texts[kept] == "the cow"


def listen(page) -> None:
    page.run("document.querySelector('#tab-speech').click()")
    page.run("document.querySelector('#record').click()")


def test_the_microphone_is_read_while_somebody_speaks(page, app, readers):
    """A busy machine tears holes into what the microphone hears; what it heard is what counts."""
    page.run(
        "window.last = null; window.whileRecording = []; const real = fetch;"
        "window.fetch = async (path, options) => { const answer = await real(path, options);"
        "if (path.includes('final=1')) last = (await answer.clone().json()).text;"
        "return answer; };"
        "new MutationObserver(() => {"
        "if (document.querySelector('#record').textContent === 'Stop')"
        "whileRecording.push(document.querySelector('#text').textContent); })"
        ".observe(document.querySelector('#text'), { childList: true }); 0"
    )
    listen(page)
    until(page, "whileRecording.some(text => new Set(text.match(/[abc]/g)).size > 1)")
    assert page.run("document.querySelector('#record').textContent") == "Stop"
    press(page, "r")
    until(page, "document.querySelector('#record').textContent === 'Record'")
    until(page, "last !== null && document.querySelector('#text').textContent === last")
    assert page.run("document.querySelectorAll('#text .open').length") == 0
    said = text(page)
    page.run("document.querySelector('#keep').requestSubmit()")
    kept = until(
        page, "(/kept as (.*)/.exec(document.querySelector('#kept').textContent) ?? [])[1]"
    )
    assert kept.startswith("speech-")
    heard = read_audio(app.corpus.folder / kept)
    assert heard.rate == RATE
    assert readers.run(readers.models[1].recognizer.read, heard).text == said
    spectrum = np.abs(np.fft.rfft(heard.samples * np.hanning(len(heard.samples))))
    hertz = np.fft.rfftfreq(len(heard.samples), 1 / RATE)
    loud = hertz[spectrum > 0.2 * spectrum.max()]
    assert np.abs(loud[:, None] - TONES).min(axis=1).max() < 100


def test_a_sound_file_is_read_in_place_of_a_microphone(page, sound, tmp_path: Path):
    write_wav(tmp_path / "cab.wav", sound("cab", 8), RATE)
    page.run("document.querySelector('#tab-speech').click()")
    node = page.call("DOM.getDocument")["root"]["nodeId"]
    field = page.call("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / "cab.wav")])
    until(page, "document.querySelector('#text').textContent === 'cab'")
    until(
        page,
        "(data => { let n = 0; for (let k = 3; k < data.length; k += 4) n += data[k] > 40;"
        "return n > 1000; })"
        "((c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
        "(document.querySelector('#spectrogram')))",
    )
    (tmp_path / "no.wav").write_bytes(b"no sound at all")
    page.call("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / "no.wav")])
    until(page, "document.querySelector('#trouble').textContent.includes('no.wav')")


def test_a_long_sound_file_is_read_up_to_the_end_of_a_recording(page, sound, tmp_path: Path):
    quiet = np.random.default_rng(0).normal(0, 0.003, 61 * RATE).astype(np.float32)
    write_wav(tmp_path / "long.wav", np.concatenate([sound("cab", 8), quiet]), RATE)
    page.run("document.querySelector('#tab-speech').click()")
    node = page.call("DOM.getDocument")["root"]["nodeId"]
    field = page.call("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
    page.call("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / "long.wav")])
    until(page, "document.querySelector('#text').textContent.startsWith('cab')")
    notice = page.run("document.querySelector('#trouble').textContent")
    assert notice.startswith("A recording ends after 60 s.")
    assert page.run("document.querySelector('#trouble').hidden") is False


@pytest.mark.parametrize(
    ("failure", "message"),
    [("NotFoundError", "There is no microphone"), ("NotAllowedError", "was not allowed")],
)
def test_a_microphone_that_is_not_there_is_told(page, failure, message):
    page.run(
        "navigator.mediaDevices.getUserMedia = () =>"
        f"Promise.reject(new DOMException('', {failure!r}))"
    )
    listen(page)
    until(page, f"document.querySelector('#trouble').textContent.includes({message!r})")
    assert page.run("document.querySelector('#record').textContent") == "Record"


def test_a_server_that_has_gone_is_told(browser, app, serving, ink):
    browser.view(1120, 820)
    with serving(app) as client:
        browser.open(client.server.gate.address)
        until(browser, "document.body.dataset.ready === 'true'")
    write_with_mouse(browser, ink("lo").strokes)
    until(browser, "document.querySelector('#trouble').textContent.includes('does not answer')")


def test_hostile_labels_are_text(page):
    page.run(
        """(() => {
          const real = window.fetch;
          const read = {
            text: '<img src=x onerror=hacked=1>', letters: [['<script>hacked=1</script>', 0, 1, 1]],
            words: [], readings: [['<img src=x onerror=hacked=1>', 0.5]], scale: 'path',
            times: [0], period: 1, spikes: [['<b>', 0, 0, [99]]], blank: [1], pieces: [], x: [9],
          };
          window.fetch = async (path, options) =>
            path === 'ink' ? new Response(JSON.stringify(read)) : real(path, options);
        })()"""
    )
    write_with_mouse(page, [np.array([[50.0, 50], [60, 60]])])
    until(page, "document.querySelector('#text').textContent.includes('onerror')")
    assert page.run("typeof hacked") == "undefined"
    assert page.run("document.querySelectorAll('#board img, #board b, .below img').length") == 0
