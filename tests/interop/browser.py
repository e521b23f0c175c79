"""Headless Chromium as a seat: the page of desk/phone/ with a tone for a microphone, and its ears.

One browser serves all seats of a test; each seat is a page in a context of its own.
"""

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright

from phones.tones import write_tone
from tests.interop.hotline import AGENT_HZ, Hotline

CHROMIUM = shutil.which("chromium") or ""
JSSIP = Path(__file__).parents[2] / "desk" / "phone" / "vendor" / "jssip.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # The tests' network has no interface but this one, which Chromium leaves out otherwise.
    "--allow-loopback-in-peer-connection",
)
# What the page hears: the strongest frequency of its sound, and how much of the energy it has.
EARS = """() => {
  const sound = document.getElementById("sound").srcObject;
  if (!sound) return [0, 0];
  if (window.earsOf !== sound) {
    const context = new AudioContext();
    const analyser = context.createAnalyser();
    analyser.fftSize = 8192;
    analyser.smoothingTimeConstant = 0;
    context.createMediaStreamSource(sound).connect(analyser);
    Object.assign(window, { earsOf: sound, ears: analyser, rate: context.sampleRate });
  }
  const levels = new Float32Array(window.ears.frequencyBinCount);
  window.ears.getFloatFrequencyData(levels);
  const best = levels.reduce((found, level, bin) => (level > levels[found] ? bin : found), 1);
  const power = Array.from(levels, (level) => 10 ** (level / 10));
  const near = power.slice(Math.max(0, best - 4), best + 5).reduce((a, b) => a + b, 0);
  const all = power.reduce((a, b) => a + b, 0);
  return [best * window.rate / window.ears.fftSize, levels[best] > -80 ? near / all : 0];
}"""
# Whether it has had a sender's report (RTCP) of ours: those that come before it takes our voice for
# a stream of its own are lost on it.
REPORTED = """async () => {
  const stats = await window.line.getStats();
  return Array.from(stats.values()).some((one) => one.type === "remote-outbound-rtp");
}"""
LINE = """const Line = RTCPeerConnection;
window.RTCPeerConnection = class extends Line {
  constructor(...how) { super(...how); window.line = this; }
};"""
# Another tone than the microphone's, for a second seat.
OTHER_VOICE = """(hertz) => {
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: hertz });
    const level = new GainNode(context, { gain: 0.4 });
    const out = context.createMediaStreamDestination();
    tone.connect(level).connect(out);
    tone.start();
    return out.stream;
  };
}"""


class BrowserSeat:
    """The page of one seat."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def log_in(self, hotline: Hotline, user: str, *, auto: bool = True) -> None:
        """Open the page and register."""
        await self.page.goto(f"{hotline.engine.http}/phone/")
        await self.page.wait_for_selector("#user:enabled")
        await self.page.set_checked("#auto", auto)
        await self.page.fill("#user", user)
        await self.page.fill("#password", f"secret-{user}")
        await self.page.click("#login button")
        await self.page.wait_for_selector("body[data-line=registered]", timeout=10_000)

    async def until(self, state: str, timeout_seconds: float = 30.0) -> None:
        """Until the page says so: idle, incoming, calling, talking, held, muted."""
        selector = f"body[data-state={state}]"
        await self.page.wait_for_selector(selector, timeout=1000 * timeout_seconds)

    async def press(self, button: str) -> None:
        """answer, hangup, hold, mute; or a key."""
        if len(button) == 1:
            await self.page.click(f"#keys button:text-is('{button}')")
        else:
            await self.page.click(f"#{button}:enabled")

    async def hears(self, hertz: float) -> bool:
        """Whether that is what it hears at this moment."""
        found, share = await self.page.evaluate(EARS)
        return abs(found - hertz) < 15 and share > 0.6

    async def has_a_report(self) -> bool:
        """Whether RTCP of ours has come."""
        return bool(await self.page.evaluate(REPORTED))

    async def party(self) -> str:
        """Who calls, as the page shows it."""
        return await self.page.inner_text("#party")


class Chromium:
    """One browser process and its seats."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    @contextlib.asynccontextmanager
    async def seat(
        self, voice_hz: int | None = None, *, trusting: bool = False
    ) -> AsyncIterator[BrowserSeat]:
        """A seat that speaks with the microphone's tone, or with another one.

        A `trusting` one takes the certificate of an authority that it does not know.
        """
        context = await self._browser.new_context(locale="zh-CN", ignore_https_errors=trusting)
        page = await context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.add_init_script(LINE)
        if voice_hz is not None:
            await page.add_init_script(f"({OTHER_VOICE})({voice_hz})")
        try:
            yield BrowserSeat(page)
        finally:
            await context.close()
        assert not complaints, complaints


@contextlib.asynccontextmanager
async def chromium(folder: Path, **options: Any) -> AsyncIterator[Chromium]:
    """Debian's Chromium, its microphone a tone of AGENT_HZ."""
    voice = write_tone(folder / "microphone.wav", AGENT_HZ, seconds=10)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*FLAGS, f"--use-file-for-fake-audio-capture={voice}"],
            **options,
        )
        try:
            yield Chromium(browser)
        finally:
            await browser.close()
