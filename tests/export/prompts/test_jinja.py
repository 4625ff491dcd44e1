"""What a chat template may use, and that it reaches nothing else, as transformers has it."""

import pytest
from jinja2 import TemplateError
from transformers.utils.chat_template_utils import render_jinja_template

from edgetune_export.prompts.jinja import render_template

MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    "source",
    [
        "{{ dict(a=1) }}{{ dict([('a', 2)]) }}{{ dict.fromkeys(['a'], 1) }}",
        "{% set ns = namespace({'a': 1}, b=2) %}{% set ns.c = 3 %}{{ ns.a + ns.b + ns.c }}",
        "{% set ns = namespace(self=3) %}{{ ns.self }}",
        "{% generation %}{{ messages | tojson(indent=2) }}{% endgeneration %}",
        "{% for m in messages %}{% break %}{{ m }}{% endfor %}{{ '<' | tojson }}",
    ],
)
def test_it_renders_what_transformers_renders(source):
    (wanted,), _ = render_jinja_template([MESSAGES], chat_template=source)
    assert render_template(source, MESSAGES) == wanted


@pytest.mark.parametrize(
    "source",
    [
        "{% set ns = namespace() %}{% set ns._a = 1 %}",
        "{% set ns = namespace(__call__=1) %}",
        "{{ dict.update(messages[0], {'content': 'other'}) }}",
        "{{ messages.append(messages[0]) }}",
        "{{ messages.__class__.__mro__ }}",
        "{{ raise_exception('no') }}",
    ],
)
def test_what_transformers_refuses_is_refused(source):
    for render in (
        lambda: render_jinja_template([MESSAGES], chat_template=source),
        lambda: render_template(source, MESSAGES),
    ):
        with pytest.raises(TemplateError):
            render()
    assert MESSAGES == [{"role": "user", "content": "hi"}]
