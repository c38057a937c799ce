"""What people do with the pages, in a real Chromium."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from service_site import Site, playwright, token

from dedup.store import Scope, Stratum, Verdict

Visitor = Callable[..., "playwright.Page"]
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")


def search(page: playwright.Page, text: str) -> None:
    page.locator("#text").press_sequentially(text)


def shown_pair(page: playwright.Page) -> tuple[str, ...]:
    return tuple(page.locator(".sides .text").all_inner_texts())


def reviews_by(site: Site, name: str) -> list[tuple[Verdict, bool]]:
    """Verdicts of somebody, the newest first, each with whether it counts."""
    return [
        (each.verdict, each.undone_at is None) for each in site.store.reviews(9_999) if f"({name})" in each.reviewer
    ]


def test_nobody_looks_without_a_token(site: Site, visitor: Visitor) -> None:
    page = visitor()
    page.goto("/clusters")
    assert page.url == f"{site.url}/login?to=/clusters"
    shown = token(site.store, {Scope.READ}, "reader")
    page.get_by_label("Token").fill(shown)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site.url}/clusters")
    cookie = page.context.cookies()[0]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert shown not in cookie["value"]
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.goto("/clusters")
    assert "/login" in page.url


def test_answers_come_while_one_types(visitor: Visitor) -> None:
    page = visitor(Scope.READ)
    search(page, "how do i reverse a string in python")
    page.get_by_text("Already asked").wait_for()
    assert page.locator(".matches .text").first.inner_text() == "How do I reverse a string in Python?"
    assert page.locator("#verdict").get_attribute("aria-live") == "polite"
    page.locator("#text").fill("zzgl frobnicate qqx vvw")
    page.get_by_text("Not asked before").wait_for()
    page.locator("#text").fill("")
    page.locator(".matches").wait_for(state="detached")


def test_search_works_without_a_script(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.READ, scripts=False)
    page.locator("#text").fill("how do i reverse a string in python")
    page.get_by_role("button", name="Search").click()
    assert page.get_by_text("Already asked").is_visible()


def test_what_a_question_says_is_never_markup(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.READ)
    page.locator("#text").fill(
        "</textarea><script>alert(1)</script><img src=x onerror=alert(2)> how do i reverse a string"
    )
    page.locator(".matches").wait_for()
    assert page.locator("main script, main img").count() == 0


def test_pairs_are_reviewed_by_keys_and_a_verdict_is_taken_back(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.REVIEW, name="keys")
    page.goto("/review")
    pairs = []
    for key in ("s", "d", "k", "ArrowRight"):
        pairs.append(shown_pair(page))
        with page.expect_navigation():
            page.keyboard.press(key)
    assert len(set(pairs)) == 4
    assert reviews_by(site, "keys") == [
        (verdict, True) for verdict in (Verdict.SKIP, Verdict.SKIP, Verdict.DIFFERENT, Verdict.SAME)
    ]
    with page.expect_navigation():
        page.keyboard.press("u")
    assert shown_pair(page) == pairs[3]
    assert reviews_by(site, "keys")[0] == (Verdict.SKIP, False)
    with page.expect_navigation():
        page.keyboard.press("u")
    assert shown_pair(page) == pairs[2]
    page.goto("/")
    search(page, "sdku")  # keys are letters while one types
    assert len(reviews_by(site, "keys")) == 4


def test_a_second_reviewer_sees_whether_they_agree(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.REVIEW, name="second")
    page.goto("/review")
    assert page.get_by_text("another person has judged it").is_visible()
    for key in ("s", "s"):
        with page.expect_navigation():
            page.keyboard.press(key)
    said = page.locator(".said p").inner_text()
    assert "agrees" in said or "says different" in said
    assert "that 2 have judged" in page.locator(".progress").inner_text()


def test_a_cluster_is_split_and_stays_so(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.REVIEW, name="splitter")
    cluster = site.cluster_of("302")
    assert site.cluster_of("82") == cluster  # to sort in reverse order is not to reverse a string
    page.goto(f"/clusters/{cluster}")
    assert page.locator(".graph line.weakest").count() == 1
    page.get_by_role("checkbox", name="How do I sort a list in reverse order in Python?").check()
    page.get_by_role("button", name="Set the chosen ones apart").click()
    page.get_by_text("Recorded for the next run").wait_for()
    site.run()
    assert site.cluster_of("82") != site.cluster_of("302")
    page.goto(f"/clusters/{site.cluster_of('302')}")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_load_state()
    assert all(not counts for _, counts in reviews_by(site, "splitter"))
    site.run()
    assert site.cluster_of("82") == site.cluster_of("302")


def test_two_clusters_are_merged_and_another_question_is_canonical(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.REVIEW, name="merger")
    one, other = site.cluster_of("218"), site.cluster_of("32")
    assert one != other
    members = {each.question.id for number in (one, other) for each in site.store.cluster(number).members}
    page.goto(f"/clusters/{one}")
    page.get_by_label("Merge with cluster number").fill(str(other))
    page.get_by_role("button", name="Merge").click()
    page.get_by_text("Recorded for the next run").wait_for()
    chosen = next(each.question for each in site.store.cluster(one).members[1:])
    page.get_by_role("button", name=f"Make it canonical: {chosen.text}").click()
    page.get_by_text("the next run names the cluster after it").wait_for()
    site.run()
    found = site.store.cluster(site.cluster_of(chosen.id))
    assert {each.question.id for each in found.members} == members
    assert found.summary.canonical.id == chosen.id
    page.goto(f"/clusters/{found.summary.id}")
    assert "took in cluster" in page.locator(".history").inner_text()
    page.get_by_role("button", name="Leave it to the rule").click()
    page.wait_for_load_state()
    assert site.store.choices([chosen.number]) == []


def test_contradicting_verdicts_are_shown(site: Site, visitor: Visitor) -> None:
    numbers = {name: site.store.find_question(name)[0].number for name in ("1", "2", "3")}
    for left, right, verdict in (("1", "2", "same"), ("2", "3", "same"), ("1", "3", "different")):
        site.store.record_review(numbers[left], numbers[right], Verdict(verdict), "token 0 (bea)", Stratum.CHOSEN)
    page = visitor(Scope.REVIEW, name="mender")
    page.goto("/contradictions")
    section = page.locator(".contradiction", has_text="held together")
    assert section.locator(".chain > li").count() == 3
    section.locator("> form").get_by_role("button", name="Same").click()
    page.get_by_text("Reviewers disagree").first.wait_for()  # the chain is broken: what is left is one pair
    assert page.get_by_text("held together").count() == 0


def test_labels_recalibrate_the_classifier_when_accepted(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.ADMIN, name="admin")
    labelled(site, 60)
    page.goto("/labels")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text("utf-8"))))
    assert rows[0] == ["question1", "question2", "is_duplicate"]
    assert len(rows) - 1 == len(list(site.store.review_labels()))
    page.get_by_role("button", name="Recalibrate").click()
    page.get_by_text("Before and after").wait_for()
    proposed = site.service.proposed
    assert page.locator(".scores tbody tr").first.locator("td").all_inner_texts() == [
        f"{proposed.before.log_loss:.3f}",
        f"{proposed.after.log_loss:.3f}",
    ]
    assert not list((site.settings.indexes / "classifiers").glob("*.json"))
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("the next run judges with the new classifier").wait_for()
    (installed,) = (site.settings.indexes / "classifiers").glob("*.json")
    site.run()
    assert site.service.snapshot.searcher.classifier.identity == proposed.classifier.identity
    installed.unlink()


def labelled(site: Site, count: int) -> None:
    """Have a reviewer judge pairs as the example's clusters do, and be wrong about every seventh."""
    pairs = [pair for pair in site.store.pairs_from(0, 9_999) if pair.distance > 0][:count]
    for at, pair in enumerate(pairs):
        same = (pair.probability >= 0.5) != (at % 7 == 0)
        verdict = Verdict.SAME if same else Verdict.DIFFERENT
        site.store.record_review(pair.left, pair.right, verdict, "token 0 (cleo)", Stratum.RANDOM)


def test_a_form_of_another_site_is_refused_as_a_problem(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.ADMIN, name="victim")
    before = len(site.store.reviews(9_999))
    left, right = (site.store.find_question(name)[0].number for name in ("1", "2"))
    fields = {"left": str(left), "right": str(right), "verdict": "same"}
    for code in ({}, {"code": "0" * 64}):
        refused = page.request.post("/review", form={**fields, **code})
        assert (refused.status, refused.headers["content-type"]) == (403, "application/problem+json")
        assert refused.json()["type"] == "urn:question-dedup:problem:form"
    assert len(site.store.reviews(9_999)) == before


def test_scopes_are_those_of_the_interface(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.READ, name="reader")
    page.goto("/labels")
    assert page.get_by_role("button", name="Recalibrate").count() == 0
    page.goto(f"/clusters/{site.store.largest_clusters(1)[0].id}")
    assert page.get_by_role("button", name="Merge").count() == 0
    refused = page.request.get("/review")
    assert refused.status == 403
    assert "scope review" in refused.text()


def test_a_report_is_shown_with_its_own_style_and_no_script(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.READ)
    page.goto("/runs")
    page.get_by_role("link", name="run 1", exact=True).click()
    page.get_by_role("link", name="Open the report").click()
    page.wait_for_url("**/report")
    assert page.locator("h1").first.is_visible()
    policy = page.request.get("/runs/1/report").headers["content-security-policy"]
    assert "script-src" not in policy
    assert policy.startswith("default-src 'none'")


PAGES = ("/", "/review", "/clusters", "/clusters/{cluster}", "/runs", "/runs/1", "/labels", "/contradictions")


@pytest.mark.slow
def test_axe_finds_nothing_serious_in_light_and_dark(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.ADMIN)
    found = {}
    for path in PAGES:
        page.goto(path.format(cluster=site.store.largest_clusters(1)[0].id))
        if path == "/":
            search(page, "reverse a string")
            page.locator(".matches").wait_for()
        found[path] = serious(page)
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    found["/login"] = serious(page)
    assert found == {path: [] for path in (*PAGES, "/login")}


def serious(page: playwright.Page) -> list[str]:
    """What is serious or critical; in the dark nothing but colours is another."""
    found = []
    for scheme, options in (("light", {}), ("dark", {"runOnly": ["color-contrast"]})):
        page.emulate_media(color_scheme=scheme)
        violations = axe.Axe().run(page, options=options).response["violations"]
        found += [
            f"{scheme}, {each['id']}: {[node['html'][:200] for node in each['nodes']]}"
            for each in violations
            if each["impact"] in ("serious", "critical")
        ]
    return found


def test_nothing_is_wider_than_a_phone(site: Site, visitor: Visitor) -> None:
    page = visitor(Scope.ADMIN, width=360, height=740)
    for path in PAGES:
        page.goto(path.format(cluster=site.store.largest_clusters(1)[0].id))
        if path == "/":
            search(page, "how do i reverse a very-long-word-" + "x" * 80)
            page.locator(".matches").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") == 360, path


def test_keys_reach_the_content_first(visitor: Visitor) -> None:
    page = visitor(Scope.READ)
    page.goto("/clusters")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.name") == "text"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
