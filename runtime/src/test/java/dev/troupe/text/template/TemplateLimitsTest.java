package dev.troupe.text.template;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.troupe.text.template.limit.Limits;
import dev.troupe.text.template.limit.TemplateException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Templates that mean harm: each fails soon, with an error that names the limit, on a thread with a small stack. */
class TemplateLimitsTest {
    private static final int SMALL_STACK = 512 << 10;
    private static final String GROW = "{% set ns = namespace(x='a') %}{% for i in range(99) %}";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{{ 'a' * 10**9 }}",
                "{{ 'a' * 10**18 }}",
                "{{ ([1] * 10**9)|length }}",
                "{{ '%999999999d' % 1 }}",
                "{{ '{:999999999}'.format(1) }}",
                "{{ '{:>999999999}'.format('a') }}",
                "{{ 'a'.ljust(2**31 - 1) }}",
                "{{ 'a'.zfill(2**31 - 1) }}",
                "{{ 'a'|center(2**31 - 1) }}",
                "{{ 'a\nb'|indent(2**31 - 1) }}",
                "{{ [1]|tojson(indent=2**31 - 1) }}",
                "{{ [1]|batch(2**31 - 1, 'x')|list }}",
                "{{ [1]|slice(2**31 - 1)|list }}",
                "{% set a = 'x' * 10**6 %}{{ a.replace('', a)|length }}",
                "{% set a = ',' * 10**6 %}{{ a.join(a.split(','))|length }}",
                GROW + "{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
                GROW + "{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x|tojson }}",
                GROW + "{% set ns.x = [ns.x] + [ns.x] %}{% endfor %}{{ ns.x|string|length }}",
                "{% set ns = namespace(x=[1]) %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}"
            })
    void textsAndListsDoNotOutgrowTheMemory(String template) {
        assertThat(limitOf(template)).isIn("memory", "depth", "steps");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
                "{% for i in range(100000) if false %}{% for j in range(9) %}{% endfor %}{% endfor %}"
                        + "{% for i in range(9**5) %}{% for j in range(9**5) if false %}{% endfor %}{% endfor %}",
                "{% set a = 'x' * 10**6 %}{{ (a ~ 'y') in (a ~ a) }}",
                "{% set a = 'x' * 10**6 %}{% for i in range(9999) %}{% if a ~ i == a %}{% endif %}{% endfor %}",
                "{% set a = 'x' * 10**6 %}{% for i in range(99999) %}{% if a|length == 1 %}{% endif %}{% endfor %}",
                "{% set a = range(10**5)|list %}{% for i in a %}{% if -1 in a %}{% endif %}{% endfor %}",
                "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}{% set ns.a = [ns.a, ns.a] %}"
                        + "{% set ns.b = [ns.b, ns.b] %}{% endfor %}{{ ns.a == ns.b }}{{ ns.a < ns.b }}",
                "{% set ns = namespace(a=(1,)) %}{% for i in range(60) %}{% set ns.a = (ns.a, ns.a) %}{% endfor %}"
                        + "{{ {ns.a: 1} }}"
            })
    void workEndsWithTheSteps(String template) {
        assertThat(limitOf(template)).isIn("steps", "memory");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
                "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{% if true %}{{ a() }}{% endif %}{% endmacro %}{{ a() }}",
                "{% macro a() %}{% call a() %}{{ caller() }}{% endcall %}{% endmacro %}{{ a() }}",
                "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
                "{% set ns = namespace(x=1) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
                "{% set ns = namespace(x=1) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}"
                        + "{{ ns.x|tojson }}",
                "{% set ns = namespace(x=1, y=1) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}"
                        + "{% set ns.y = [ns.y] %}{% endfor %}{{ ns.x == ns.y }}",
                "{% set ns = namespace(x=1) %}{% for i in range(99999) %}{% set ns.x = {'a': ns.x} %}{% endfor %}"
                        + "{{ ns.x }}",
                "{% set ns = namespace(x=(1,)) %}{% for i in range(99999) %}{% set ns.x = (ns.x,) %}{% endfor %}"
                        + "{{ {ns.x: 1} }}"
            })
    void whatCallsItselfOrHoldsItselfEndsWithTheDepth(String template) {
        assertThat(limitOf(template)).isEqualTo("depth");
    }

    @Test
    void deepNestingIsRefusedByTheCompiler() {
        List<String> templates = List.of(
                nested("{{ ", "(", "1", ")", " }}"),
                nested("{{ ", "[", "1", "]", " }}"),
                nested("{{ ", "{1: ", "1", "}", " }}"),
                nested("{{ ", "a[", "1", "]", " }}"),
                nested("{{ ", "a(", "1", ")", " }}"),
                nested("{{ ", "-", "1", "", " }}"),
                nested("{{ ", "not ", "1", "", " }}"),
                nested("{{ ", "1 if 1 else ", "1", "", " }}"),
                nested("{{ 1", "|f(1", "", ")", " }}"),
                nested("{{ 1", " is a [1", "", "]", " }}"),
                nested("{% set ", "(", "a", ")", " = 1 %}"),
                nested("", "{% if 1 %}", "", "{% endif %}", ""),
                nested("", "{% for a in b %}", "", "{% endfor %}", ""),
                nested("{% if 1 %}", "{% elif 1 %}", "", "", "{% endif %}"));

        assertThat(templates).extracting(TemplateLimitsTest::limitOf).containsOnly("depth");
    }

    @Test
    void longChainsAreEvaluatedOrRefusedButDoNotExhaustTheStack() {
        List<String> templates = List.of(
                nested("{{ 1", " + 1", "", "", " }}"),
                nested("{{ 1", " and 1", "", "", " }}"),
                nested("{{ 1", "|string", "", "", " }}"),
                nested("{{ a", ".a", "", "", " }}"),
                nested("{{ 1", " is defined", "", "", " }}"),
                nested("{{ 'a'", " ~ 'a'", "", "", " }}"),
                nested("{{ 1", " < 1", "", "", " }}"),
                nested("{{ ", "'a'", "", "", " }}"),
                nested("{{ [", "1,", "", "", "] }}"),
                nested("", "{{ 1 }}", "", "", ""),
                "{{ " + "9".repeat(100_000) + " }}");

        assertThat(templates)
                .extracting(TemplateLimitsTest::failure)
                .allMatch(failure -> failure == null || failure instanceof TemplateException);
    }

    @Test
    void outputAndSourceHaveLimitsOfTheirOwn() {
        Limits limits = new Limits(1000, 20, 10_000, 10, 100);

        assertThat(limitOf("{{ 'a' * 11 }}", limits)).isEqualTo("output");
        assertThat(limitOf("{% for i in range(11) %}a{% endfor %}", limits)).isEqualTo("output");
        assertThat(limitOf("a".repeat(101), limits)).isEqualTo("source");
        assertThat(ChatTemplate.compile("{{ 'a' * 10 }}", SpecialTexts.NONE, limits)
                        .render(Map.of(), Clock.systemUTC()))
                .hasSize(10);
    }

    @Test
    void theMessageNamesTheLimitAndTheLine() {
        assertThatExceptionOfType(TemplateException.LimitReached.class)
                .isThrownBy(() -> ChatTemplate.compile("a\n{{ 'a' * 10**9 }}", SpecialTexts.NONE)
                        .render(Map.of(), Clock.systemUTC()))
                .withMessage("line 2: needs more than the limit memory = 33554432");
    }

    @Test
    void inputThatIsTooDeepIsRefused() {
        List<Object> deep = new ArrayList<>();
        for (int i = 0; i < 10_000; i++) {
            deep = new ArrayList<>(List.of(deep));
        }
        Object value = deep;

        ChatTemplate template = ChatTemplate.compile("{{ x }}", SpecialTexts.NONE);

        assertThatExceptionOfType(TemplateException.LimitReached.class)
                .isThrownBy(() -> template.render(Map.of("x", value), Clock.systemUTC()))
                .withMessage("needs more than the limit depth = 250");
    }

    @Test
    void numbersAndRangesAreBounded() {
        assertThat(limitOf("{% for i in range(10**9) %}{% endfor %}")).isEqualTo("range");
        assertThatExceptionOfType(TemplateException.Failed.class)
                .isThrownBy(() -> ChatTemplate.compile("{{ 9**(9**9) }}", SpecialTexts.NONE)
                        .render(Map.of(), Clock.systemUTC()))
                .withMessageContaining("bits is too large; expected at most 2048 bits");
    }

    private static String nested(String before, String open, String middle, String close, String after) {
        int times = 20_000;
        return before + open.repeat(times) + middle + close.repeat(times) + after;
    }

    private static String limitOf(String template) {
        return limitOf(template, Limits.DEFAULT);
    }

    private static String limitOf(String template, Limits limits) {
        Throwable failure = failure(template, limits);
        return failure instanceof TemplateException.LimitReached reached ? reached.limit() : "no limit: " + failure;
    }

    private static Throwable failure(String template) {
        return failure(template, Limits.DEFAULT);
    }

    /** Null if it renders. */
    private static Throwable failure(String template, Limits limits) {
        AtomicReference<Throwable> failure = new AtomicReference<>();
        Thread thread = new Thread(
                null,
                () -> {
                    try {
                        ChatTemplate.compile(template, SpecialTexts.NONE, limits)
                                .render(Map.of(), Clock.systemUTC());
                    } catch (Throwable e) {
                        failure.set(e);
                    }
                },
                "template",
                SMALL_STACK);
        thread.start();
        try {
            thread.join();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return failure.get();
    }
}
