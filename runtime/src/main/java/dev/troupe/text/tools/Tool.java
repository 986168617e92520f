package dev.troupe.text.tools;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;

/**
 * A function of the client that a model may call.
 *
 * @param name letters, digits, {@code _} and {@code -}
 * @param description for the model; may be empty
 * @param parameters the JSON schema of its arguments, an object
 */
public record Tool(String name, String description, ObjectNode parameters) {

    /** As chat templates are given it. */
    ObjectNode toJson() {
        ObjectNode tool = JsonNodeFactory.instance.objectNode();
        tool.put("type", "function");
        ObjectNode function = tool.putObject("function");
        function.put("name", name);
        function.put("description", description);
        function.set("parameters", parameters);
        return tool;
    }
}
