package dev.t2l.text.jinja;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import dev.t2l.text.TemplateException;
import java.time.Clock;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A hostile template ends with an exception, in seconds and in bounded memory. */
class LimitsTest {
    @ParameterizedTest
    @ValueSource(strings = {
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% for a in range(100000) %}{{ 'x' * 1000 }}{% endfor %}",
        "{{ 'x' * 10 ** 12 }}",
        "{{ [0] * 10 ** 9 }}",
        "{{ 2 ** 64 }}",
        "{% set ns = namespace(s='x') %}{% for a in range(60) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for a in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
        "{% set ns = namespace(s='xx') %}{% for a in range(60) %}{% set ns.s = ns.s | replace('x', ns.s) %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l }}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}",
        "{% set ns = namespace(l=[1], m=[1]) %}{% for a in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{% endfor %}{{ ns.l == ns.m }}",
        "{% set ns = namespace(l=[1]) %}{% for a in range(50000) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% set ns = namespace() %}{% set ns.n = ns %}{{ [ns, ns.n.n.n] | tojson }}",
    })
    void isStopped(String template) {
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> assertThrows(TemplateException.class, () -> Template.compile(template).render(Map.of(), Clock.systemUTC())));
    }

    @ParameterizedTest
    @ValueSource(strings = {"(", "[", "{'a':", "not ", "-", "a(", "a if "})
    void nestingIsBoundedInTheParser(String opening) {
        assertThrows(TemplateException.class, () -> Template.compile("{{ " + opening.repeat(20_000) + " }}"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{% if a %}", "{% for a in b %}", "{% set x %}"})
    void blocksAreToo(String opening) {
        assertThrows(TemplateException.class, () -> Template.compile(opening.repeat(20_000)));
    }
}
