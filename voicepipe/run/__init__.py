"""One run of a pipeline, from `PipelineTask.run()` to its report.

The task passes requests to the run's course. The run's driver opens the stages, lets frames
flow, drains and closes.

    task         `PipelineTask`, the user's view of one run
    requests     requests from any thread, passed to the run's event loop
    controls     the handles of a run's microphones and speakers
    frame_entry  the program's own frames: kept before the start, then sent
    run          the driver of one run, from opening to close
    advice       advice on a pipeline that cannot do what was meant
    start_news   the news that a run has started, or never will
    course       the run's state, its requests, and the wait for changes
    transitions  the next state, by the table in `voicepipe.lifecycle`
    opening      the opening of the stages, under the start limit
    stall        the search for stages that hold up a draining run
    closing      the stop of all tasks and the clean-up of all stages, under limits
    failures     the errors of a run, and their log
"""

__all__: list[str] = []
