package dev.troupe.http;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.pekko.http.javadsl.model.ContentType;
import org.apache.pekko.http.javadsl.model.HttpCharsets;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.MediaTypes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.util.ByteString;

/** The files of the web page. They hold no data, so they are for anybody; what they show comes by {@code /status}. */
final class Page {
    private static final String OWN = "/dev/troupe/http/page/";
    private static final String CHARTS = "/META-INF/resources/webjars/uplot/1.6.30/dist/";
    private static final ContentType HTML = MediaTypes.TEXT_HTML.toContentType(HttpCharsets.UTF_8);
    private static final ContentType CSS = MediaTypes.TEXT_CSS.toContentType(HttpCharsets.UTF_8);
    private static final ContentType SCRIPT = MediaTypes.APPLICATION_JAVASCRIPT.toContentType(HttpCharsets.UTF_8);

    /** The charts set styles of elements. */
    private static final String POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

    private Page() {}

    /** Routes to all of them. */
    static List<Route> routes() {
        List<Route> routes = new ArrayList<>();
        routes.add(file("/", OWN + "index.html", HTML));
        routes.add(file("/page/app.js", OWN + "app.js", SCRIPT));
        routes.add(file("/page/timeline.js", OWN + "timeline.js", SCRIPT));
        routes.add(file("/page/app.css", OWN + "app.css", CSS));
        routes.add(file("/page/uplot.js", CHARTS + "uPlot.iife.min.js", SCRIPT));
        routes.add(file("/page/uplot.css", CHARTS + "uPlot.min.css", CSS));
        return routes;
    }

    private static Route file(String path, String resource, ContentType type) {
        ByteString content = read(resource);
        return new Route(
                "GET",
                path,
                Route.Access.ANYBODY,
                _ -> CompletableFuture.completedFuture(HttpResponse.create()
                        .withEntity(HttpEntities.create(type, content))
                        .addHeader(RawHeader.create("Content-Security-Policy", POLICY))
                        .addHeader(RawHeader.create("X-Content-Type-Options", "nosniff"))
                        .addHeader(RawHeader.create("Referrer-Policy", "no-referrer"))));
    }

    private static ByteString read(String resource) {
        try (InputStream stream = Page.class.getResourceAsStream(resource)) {
            if (stream == null) {
                throw new IllegalStateException("the build has left out " + resource);
            }
            return ByteString.fromArray(stream.readAllBytes());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
