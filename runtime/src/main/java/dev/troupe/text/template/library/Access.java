package dev.troupe.text.template.library;

import dev.troupe.text.template.limit.TemplateException;
import dev.troupe.text.template.python.Sequences;
import dev.troupe.text.template.python.Slices;
import dev.troupe.text.template.python.Text;
import dev.troupe.text.template.value.Arguments;
import dev.troupe.text.template.value.Callable;
import dev.troupe.text.template.value.Dict;
import dev.troupe.text.template.value.HasAttributes;
import dev.troupe.text.template.value.Markup;
import dev.troupe.text.template.value.None;
import dev.troupe.text.template.value.TypeName;
import dev.troupe.text.template.value.Undefined;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Attributes and elements of values. What is not there is undefined, unless the value itself is: that fails. */
public final class Access {
    private static final int LONGEST_SHOWN = 40;

    private Access() {}

    /** {@code object.name}: a method before an element. */
    public static Object attribute(Object object, String name, Run run) {
        Object found = ownAttribute(object, name, run);
        return found != null ? found : orUndefined(Slices.element(object, name, run.budget()), object, name, run);
    }

    /** {@code object[key]}: an element before a method. */
    public static Object element(Object object, Object key, Run run) {
        if (object instanceof Undefined undefined) {
            throw undefined.failure();
        }
        Object plain = Markup.plain(key);
        Object found = Slices.element(object, plain, run.budget());
        if (found == null && plain instanceof String name) {
            found = ownAttribute(object, name, run);
        }
        return orUndefined(found, object, plain, run);
    }

    /** {@code object[start:stop:step]}. */
    public static Object slice(Object object, Object start, Object stop, Object step, Run run) {
        if (object instanceof Undefined undefined) {
            throw undefined.failure();
        }
        return orUndefined(Slices.slice(object, start, stop, step, run.budget()), object, "[:]", run);
    }

    /** A method or attribute, and no element; null if there is none. */
    static @Nullable Object ownAttribute(Object object, String name, Run run) {
        return switch (object) {
            case Markup(String text) -> {
                Callable method = TextMethods.of(text, name, run);
                yield method == null ? null : marked(name, method, run);
            }
            case Undefined undefined -> throw undefined.failure();
            case HasAttributes value -> value.attribute(name);
            case String text -> TextMethods.of(text, name, run);
            case Dict dict -> method(dict, name, run);
            case Object value -> {
                List<Object> list = Sequences.indexed(value);
                yield list == null ? null : method(list, name, run);
            }
        };
    }

    /** A method of markup: what comes into its text is escaped, and what it gives is markup. */
    private static Callable marked(String name, Callable method, Run run) {
        return arguments -> {
            List<Object> positional = new ArrayList<>(arguments.positional());
            if (name.equals("replace") && positional.size() > 1) {
                positional.set(1, Markup.escapedText(positional.get(1), run.budget()));
            }
            if (name.equals("format")) {
                positional.replaceAll(value -> Markup.escapedText(value, run.budget()));
            }
            return Markup.marked(method.call(new Arguments(positional, arguments.named())));
        };
    }

    private static @Nullable Callable method(Dict dict, String name, Run run) {
        return switch (name) {
            case "items" -> arguments -> dict.pairs(run.budget());
            case "keys" -> arguments -> dict.keys(run.budget());
            case "values" -> arguments -> dict.values(run.budget());
            case "copy" -> arguments -> dict;
            case "get" ->
                arguments -> {
                    var bound = arguments.bind("get", "key", "default");
                    Object value = dict.get(bound.required("key"), run.budget());
                    return value != null ? value : bound.get("default", None.NONE);
                };
            default -> null;
        };
    }

    private static @Nullable Callable method(List<Object> list, String name, Run run) {
        return switch (name) {
            case "copy" -> arguments -> list;
            case "count" ->
                arguments -> (long) Lists.places(list, arguments, run).size();
            case "index" ->
                arguments -> Lists.places(list, arguments, run).stream()
                        .findFirst()
                        .orElseThrow(() -> new TemplateException.Failed("the value is not in the list"));
            default -> null;
        };
    }

    private static Object orUndefined(@Nullable Object found, Object object, Object key, Run run) {
        if (found != null) {
            return found;
        }
        String owner = object == None.NONE ? "None" : TypeName.of(object) + " object";
        String name = key instanceof String text && text.length() > LONGEST_SHOWN
                ? text.substring(0, LONGEST_SHOWN) + "..."
                : Text.str(key, run.budget());
        return new Undefined(
                "'%s' has no %s '%s'".formatted(owner, key instanceof String ? "attribute" : "element", name));
    }
}
