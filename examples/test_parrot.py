import voicepipe as vp
from parrot import Parrot
from voicepipe.testing import run_virtual


def test_a_parrot_says_what_it_hears() -> None:
    async def conversation() -> list[vp.Frame]:
        task, said = vp.PipelineTask(vp.Pipeline([Parrot()])), list[vp.Frame]()
        task.subscribe(lambda frame, direction: said.append(frame))
        await task.queue_frame(vp.InputAudioFrame(b"\x01\x00" * 320))
        task.end()
        await task.run()
        return said

    said = run_virtual(conversation())  # no hardware, and an hour would take seconds
    assert [frame.data for frame in said if isinstance(frame, vp.OutputAudioFrame)] == [b"\x01\x00" * 320]
