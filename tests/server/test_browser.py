"""The pack in the real front end."""


def test_the_front_end_shows_the_pack(page, results):
    page.screenshot(path=results / "front_end.png")
    assert page.mistakes == []
