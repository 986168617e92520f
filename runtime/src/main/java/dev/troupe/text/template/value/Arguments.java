package dev.troupe.text.template.value;

import dev.troupe.text.template.limit.TemplateException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What is given to a call: values by position, then values by name. */
public record Arguments(List<Object> positional, Map<String, Object> named) {
    public static final Arguments NONE = new Arguments(List.of(), Map.of());

    public static Arguments of(Object... positional) {
        return new Arguments(List.of(positional), Map.of());
    }

    /** The same without the first {@code count} positional ones. */
    public Arguments without(int count) {
        return new Arguments(positional.subList(count, positional.size()), named);
    }

    /**
     * Says which argument is which.
     *
     * @param function the name of what is called, for messages
     * @param parameters its parameters, in order
     * @throws TemplateException.Failed if there is one too many, an unknown name, or one twice
     */
    public Bound bind(String function, String... parameters) {
        if (positional.size() > parameters.length) {
            throw new TemplateException.Failed("%s takes at most %d arguments %s, %d were given"
                    .formatted(function, parameters.length, List.of(parameters), positional.size()));
        }
        Map<String, Object> values = new HashMap<>();
        for (int i = 0; i < positional.size(); i++) {
            values.put(parameters[i], Markup.plain(positional.get(i)));
        }
        List<String> known = List.of(parameters);
        named.forEach((name, value) -> {
            if (!known.contains(name)) {
                throw new TemplateException.Failed(
                        "%s has no argument '%s'; these work: %s".formatted(function, name, known));
            }
            if (values.put(name, Markup.plain(value)) != null) {
                throw new TemplateException.Failed("%s got two values of '%s'".formatted(function, name));
            }
        });
        return new Bound(function, values);
    }

    /** Arguments by name. */
    public record Bound(String function, Map<String, Object> values) {
        public boolean has(String name) {
            return values.containsKey(name);
        }

        public Object get(String name, Object otherwise) {
            return values.getOrDefault(name, otherwise);
        }

        public Object required(String name) {
            Object value = values.get(name);
            if (value == null) {
                throw new TemplateException.Failed("%s needs the argument '%s'".formatted(function, name));
            }
            return value;
        }

        /** @throws TemplateException.Failed if it is no text */
        public String text(String name, String otherwise) {
            return switch (get(name, otherwise)) {
                case String text -> text;
                case Object value -> throw wrong(name, value, "a text");
            };
        }

        /** @throws TemplateException.Failed if it is no whole number or does not fit an int */
        public int integer(String name, int otherwise) {
            return switch (get(name, (long) otherwise)) {
                case Long number when number == number.intValue() -> number.intValue();
                case Boolean flag -> flag ? 1 : 0;
                case Object value -> throw wrong(name, value, "a whole number of 32 bits");
            };
        }

        private TemplateException wrong(String name, Object value, String expected) {
            return new TemplateException.Failed("%s: argument '%s' is of type %s, expected %s"
                    .formatted(function, name, TypeName.of(value), expected));
        }
    }
}
