package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.operation.DateText;
import dev.troupe.text.template.python.Numbers;
import dev.troupe.text.template.python.Sequences;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Callable;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.Namespace;
import dev.troupe.text.template.value.Range;
import dev.troupe.text.template.value.TypeName;
import java.math.BigInteger;
import java.util.List;
import java.util.Map;

/** The functions that every template can call. */
public final class Functions {
    /** As in Jinja's sandbox. */
    private static final int LONGEST_RANGE = 100_000;

    private Functions() {}

    public static Map<String, Object> of(Run run) {
        return Map.of(
                "range", (Callable) Functions::range,
                "dict", (Callable) arguments -> dict(arguments, run),
                "namespace", (Callable) arguments -> namespace(arguments, run),
                "strftime_now",
                        (Callable) arguments -> DateText.of(
                                run.now(),
                                arguments.bind("strftime_now", "format").text("format", ""),
                                run.budget()),
                "raise_exception",
                        (Callable) arguments -> {
                            Object message =
                                    arguments.bind("raise_exception", "message").required("message");
                            throw new TemplateException.Refused(Text.str(message, run.budget()));
                        });
    }

    private static Object range(Arguments arguments) {
        List<Object> bounds = arguments.positional();
        for (Object bound : bounds) {
            if (!Numbers.isWhole(bound)) {
                throw new TemplateException.Failed("range takes whole numbers, not %s".formatted(TypeName.of(bound)));
            }
        }
        if (bounds.isEmpty() || bounds.size() > 3 || !arguments.named().isEmpty()) {
            throw new TemplateException.Failed("range takes 1 to 3 whole numbers: start, stop, step");
        }
        BigInteger start = bounds.size() == 1 ? BigInteger.ZERO : Numbers.whole(bounds.getFirst());
        BigInteger stop = Numbers.whole(bounds.get(bounds.size() == 1 ? 0 : 1));
        BigInteger step = bounds.size() == 3 ? Numbers.whole(bounds.getLast()) : BigInteger.ONE;
        if (step.signum() == 0) {
            throw new TemplateException.Failed("range: the step must not be zero");
        }
        BigInteger span = step.signum() < 0 ? start.subtract(stop) : stop.subtract(start);
        BigInteger size =
                span.add(step.abs()).subtract(BigInteger.ONE).divide(step.abs()).max(BigInteger.ZERO);
        boolean fits = start.bitLength() < Long.SIZE && stop.bitLength() < Long.SIZE && step.bitLength() < Long.SIZE;
        if (size.compareTo(BigInteger.valueOf(LONGEST_RANGE)) > 0 || !fits) {
            throw new TemplateException.LimitReached("range", LONGEST_RANGE);
        }
        return new Range(start.longValue(), stop.longValue(), step.longValue(), size.intValue());
    }

    private static Dict dict(Arguments arguments, Run run) {
        Dict dict = new Dict();
        for (Object source : arguments.positional()) {
            if (source instanceof Dict other) {
                other.items().forEach(item -> dict.put(item.key(), item.value(), run.budget()));
                continue;
            }
            for (Object pair : Sequences.elements(source, run.budget())) {
                List<Object> both = Sequences.elements(pair, run.budget());
                if (both.size() != 2) {
                    throw new TemplateException.Failed("dict takes pairs, found %d elements".formatted(both.size()));
                }
                dict.put(both.getFirst(), both.getLast(), run.budget());
            }
        }
        arguments.named().forEach((name, value) -> dict.put(name, value, run.budget()));
        return dict;
    }

    private static Namespace namespace(Arguments arguments, Run run) {
        Namespace namespace = new Namespace();
        dict(arguments, run).items().forEach(item -> namespace.set(Text.str(item.key(), run.budget()), item.value()));
        return namespace;
    }
}
