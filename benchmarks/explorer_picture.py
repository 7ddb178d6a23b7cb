"""Draw the README's animated picture of the explorer: the overview, then a threshold that moves under the pointer.

    python -m benchmarks.explorer_picture work docs/explorer.webp

WORK is a finished run, for example from `make run`. The script needs Chromium on the PATH and the package playwright.
"""

import io
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import uvicorn
from upath import UPath

from gristmill.flows.explorer.app import application
from gristmill.flows.explorer.index import RunIndex
from gristmill.flows.explorer.tokens import Tokenizers
from gristmill.flows.loopback import listen

SIZE = {"width": 1120, "height": 700}
WIDTH = 960  # of the picture
REST, STEP = 1600, 90  # milliseconds of a frame at rest, and of one that moves
QUALITY = 72


@click.command()
@click.argument("work", type=click.Path(exists=True, path_type=Path))
@click.argument("picture", type=click.Path(path_type=Path))
@click.option("--rule", default="gopher.words_too_low", show_default=True, help="Rule whose threshold moves.")
@click.option("--profile", default="en", show_default=True, help="Language profile whose threshold moves.")
@click.option("--frames", default=26, show_default=True, help="Number of frames in which the threshold moves.")
def main(work: Path, picture: Path, rule: str, profile: str, frames: int):
    from PIL import Image

    index = RunIndex(UPath(work))
    config = uvicorn.Config(application(index, Tokenizers(index.folder)), log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    with listen(0) as listening:
        serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        serving.start()
        try:
            address = f"http://127.0.0.1:{listening.getsockname()[1]}"
            shots = [*drawn(f"{address}/thresholds?rule={rule}&profile={profile}", address, frames)]
        finally:
            server.should_exit = True
            serving.join()
    height = round(SIZE["height"] * WIDTH / SIZE["width"])
    images = [
        Image.open(io.BytesIO(png)).convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS) for png, _ in shots
    ]
    durations = [duration for _, duration in shots]
    options = {"save_all": True, "append_images": images[1:], "duration": durations, "loop": 0}
    images[0].save(picture, quality=QUALITY, method=6, **options)
    click.echo(f"{picture}  {len(images)} frames, {picture.stat().st_size / 1e3:.0f} kB")


def drawn(address: str, overview: str, frames: int) -> Iterator[tuple[bytes, int]]:
    """Yield screenshots and their milliseconds: the overview, the page of a threshold, the threshold as it moves."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.goto(overview)
        yield page.screenshot(), REST
        page.goto(address)
        yield page.screenshot(), REST
        box = page.locator("#slider").bounding_box()
        at = 8 + (box["width"] - 16) * float(page.locator("#slider").input_value()) / 1000
        begin, reach = box["x"] + at, min(0.42 * box["width"], box["width"] - at - 16)
        page.mouse.move(begin, box["y"] + 8)
        page.mouse.down()
        for frame in range(1, frames + 1):
            share = frame / frames
            page.mouse.move(begin + reach * share * share * (3 - 2 * share), box["y"] + 8)
            page.wait_for_load_state("networkidle")
            yield page.screenshot(), STEP
        page.mouse.up()
        page.locator(".changed .row").first.wait_for()
        page.wait_for_load_state("networkidle")
        yield page.screenshot(), 2 * REST
        browser.close()


if __name__ == "__main__":
    main()
