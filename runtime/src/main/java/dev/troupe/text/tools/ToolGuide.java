package dev.troupe.text.tools;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.troupe.sampling.guide.GuideSpec;
import java.util.List;

/** The guide of an answer that must be calls: they are written as the model writes them, with arguments that satisfy their schemas. */
public final class ToolGuide {
    /** The most calls that one answer is made to have. */
    public static final int MOST_CALLS = 16;

    private ToolGuide() {}

    /**
     * The guide.
     *
     * @param tools those that may be called, at least one
     * @param several whether there may be more calls than one
     */
    public static GuideSpec of(ToolFormat format, List<Tool> tools, boolean several) {
        ObjectNode source = JsonNodeFactory.instance.objectNode();
        String first = format.isArray() ? "[" : format.hasEnd() ? format.marker() + "\n" : "";
        String last = format.isArray() ? "]" : format.hasEnd() ? "\n" + ToolFormat.END : "";
        source.put("first", first);
        source.put("between", format.isArray() ? ", " : last + "\n" + first);
        source.put("last", last);
        source.put("most", several && format.hasSeveral() ? MOST_CALLS : 1);
        ArrayNode calls = source.putArray("calls");
        for (Tool tool : tools) {
            ObjectNode call = calls.addObject();
            call.put("before", "{\"name\": \"%s\", \"%s\": ".formatted(tool.name(), format.argumentsKey()));
            call.set("schema", tool.parameters());
            call.put("after", "}");
        }
        return new GuideSpec(GuideSpec.Kind.CALLS, source.toString());
    }
}
