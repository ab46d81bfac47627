from s2scli.report.samples_html import MAX_MAPS, Output, SampleHistory, samples_part


def output(step: int, text: str) -> Output:
    return Output(step, text, ("▁a", "</s>"), ("▁b", "</s>"), ((0.9, 0.1), (0.0, 1.0)))


def test_an_output_is_shown_when_it_changes() -> None:
    outputs = [output(0, "x"), output(10, "x"), output(20, "<b>")]
    shown = samples_part([SampleHistory("a & b", "c", outputs)]).body
    assert "<th>source</th><td><bdi>a &amp; b</bdi></td>" in shown
    assert "<th>step 0</th><td><bdi>x</bdi></td>" in shown
    assert "<th>step 20</th><td><bdi>&lt;b&gt;</bdi></td>" in shown
    assert "<th>step 10</th>" not in shown
    assert shown.count("<svg ") == shown.count("<figcaption>step ") == 3
    assert 'aria-label="attention at step 10"' in shown


def test_many_maps_are_thinned_out() -> None:
    shown = samples_part([SampleHistory("a", "b", [output(step, "x") for step in range(100)])]).body
    assert shown.count("<svg ") == MAX_MAPS
    assert "<figcaption>step 0<" in shown and "<figcaption>step 99<" in shown


def test_a_model_without_attention_has_no_maps() -> None:
    assert "<svg" not in samples_part([SampleHistory("a", "b", [Output(1, "x")])]).body
    assert samples_part([]).body == ""
