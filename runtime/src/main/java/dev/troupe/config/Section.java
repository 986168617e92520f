package dev.troupe.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import com.typesafe.config.ConfigValueType;
import java.time.Duration;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalInt;
import java.util.stream.Collectors;

/** Typed reading of the keys of one section under {@code troupe}. */
final class Section {
    private static final String AUTO = "auto";

    private final String path;
    private final Config whole;

    private Section(String path, Config whole) {
        this.path = path;
        this.whole = whole;
    }

    /** The section {@code troupe} itself of a resolved configuration. */
    static Section of(Config whole) {
        return new Section("", whole);
    }

    /** The section {@code troupe.NAME} of a resolved configuration. */
    static Section of(Config whole, String name) {
        return new Section(name, whole);
    }

    Section section(String name) {
        return new Section(key(name), whole);
    }

    /** The whole path, so that the errors of the library name it. */
    private String at(String name) {
        return "troupe." + key(name);
    }

    private String key(String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    String text(String key) {
        return whole.getString(at(key));
    }

    List<String> texts(String key) {
        return whole.getStringList(at(key));
    }

    /** A list of texts, or one text, whose parts commas separate, as on a command line. */
    List<String> textOrTexts(String key) {
        return whole.getValue(at(key)).valueType() == ConfigValueType.LIST
                ? texts(key)
                : List.of(text(key).split(","));
    }

    List<Integer> integers(String key) {
        try {
            return whole.getIntList(at(key));
        } catch (ConfigException.WrongType e) {
            throw Check.refused(key(key), whole.getValue(at(key)).unwrapped(), "a list of whole numbers");
        }
    }

    boolean flag(String key) {
        return whole.getBoolean(at(key));
    }

    int integer(String key) {
        try {
            return whole.getInt(at(key));
        } catch (ConfigException.WrongType e) {
            throw Check.refused(key(key), whole.getValue(at(key)).unwrapped(), "a whole number");
        }
    }

    double number(String key) {
        try {
            return whole.getDouble(at(key));
        } catch (ConfigException.WrongType e) {
            throw Check.refused(key(key), whole.getValue(at(key)).unwrapped(), "a number");
        }
    }

    long bytes(String key) {
        return whole.getBytes(at(key));
    }

    int intBytes(String key) {
        long bytes = bytes(key);
        Check.holds(bytes <= Integer.MAX_VALUE, key(key), bytes, "less than 2 GiB");
        return (int) bytes;
    }

    Duration duration(String key) {
        return whole.getDuration(at(key));
    }

    boolean isAuto(String key) {
        return AUTO.equals(whole.getValue(at(key)).unwrapped());
    }

    /** A whole number, or empty for {@code auto}. */
    OptionalInt integerOrAuto(String key) {
        return isAuto(key) ? OptionalInt.empty() : OptionalInt.of(integer(key));
    }

    /** A constant, written in lower case. */
    <E extends Enum<E>> E constant(String key, Class<E> type) {
        String text = text(key);
        E[] constants = type.getEnumConstants();
        return Arrays.stream(constants)
                .filter(constant -> label(constant).equals(text))
                .findFirst()
                .orElseThrow(() -> Check.refused(
                        key(key),
                        text,
                        Arrays.stream(constants).map(Section::label).collect(Collectors.joining(" or "))));
    }

    private static String label(Enum<?> constant) {
        return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /** All entries, whose keys are up to the user and whose values are whole numbers. */
    Map<String, Integer> integerEntries() {
        Map<String, Integer> entries = new LinkedHashMap<>();
        for (String key : whole.getObject("troupe." + path).keySet()) {
            entries.put(key, integer(ConfigUtil.joinPath(key)));
        }
        return entries;
    }

    /** All entries, whose keys are up to the user and whose values are text. */
    Map<String, String> entries() {
        Map<String, String> entries = new LinkedHashMap<>();
        for (Map.Entry<String, ConfigValue> entry :
                whole.getObject("troupe." + path).entrySet()) {
            ConfigValue value = entry.getValue();
            Check.holds(
                    value.valueType() == ConfigValueType.STRING,
                    key(ConfigUtil.joinPath(entry.getKey())),
                    path.equals("http.keys") ? "something" : value.unwrapped(),
                    "text; an id that holds dots stands in quotes");
            entries.put(entry.getKey(), (String) value.unwrapped());
        }
        return entries;
    }
}
