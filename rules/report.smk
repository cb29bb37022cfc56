"""What people read: the leaderboard, and one page that shows everything."""


rule leaderboard:
    """Every system of every data set, best first, as a table for people and programs."""
    input:
        metrics=plan.grid.files("metrics"),
        clips=plan.grid.files("clips"),
    output:
        report(
            layout.path("leaderboard"),
            caption="../workflow/report/leaderboard.rst",
            category="Leaderboard",
        ),
    log:
        layout.log("leaderboard"),
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=1000,
    params:
        study=study.as_dict(),
        code=plan.code("leaderboard"),
    script:
        "../workflow/scripts/leaderboard.py"


rule report:
    """Self-contained HTML page: tables, figures, and the clips to look at and listen to."""
    input:
        metrics=rules.leaderboard.input.metrics,
        scores=plan.all_scores(),
        clips=rules.leaderboard.input.clips,
        figures=plan.grid.files("figures"),
    output:
        report(
            layout.path("report"),
            caption="../workflow/report/page.rst",
            category="Report",
        ),
    log:
        layout.log("report"),
    benchmark:
        layout.benchmark("report")
    conda:
        "../envs/asdflow.yaml"
    threads: 1
    resources:
        mem_mb=3000,
    params:
        study=study.as_dict(),
        weights=plan.weights.hashes(),
        code=plan.report_code,
    script:
        "../workflow/scripts/report.py"
