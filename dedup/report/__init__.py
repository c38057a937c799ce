"""The report of a run: one HTML file that needs nothing else, to read, to print and to pass on.

`contents` says what a report holds, `figures` how numbers are written, `charts` where everything in a picture stands,
`page` puts them into the templates. A section is one template, named in `dedup.report.page.SECTIONS`.
"""

from dedup.report.contents import ClusterCard, Member, RunReport
from dedup.report.page import render_report, run_name, write_report

__all__ = ["ClusterCard", "Member", "RunReport", "render_report", "run_name", "write_report"]
