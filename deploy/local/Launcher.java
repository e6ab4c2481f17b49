import java.io.Closeable;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import java.util.stream.Stream;

/**
 * Starts one Elasticsearch node from the server's own jars: java Launcher HOME CONFIG.
 *
 * <p>Everything goes through reflection, so that any JDK from 17 on compiles it without the jars and one file serves
 * Elasticsearch 8 and 9. The distribution's own entry point cannot be used: it wants a security manager or an
 * entitlement agent, native libraries and a user other than root, none of which comes from Maven Central.
 */
public final class Launcher {
    private Launcher() {}

    public static void main(String[] arguments) throws Exception {
        try {
            run(arguments[0], Path.of(arguments[1]));
        } catch (InvocationTargetException wrapped) {
            wrapped.getCause().printStackTrace();
            System.exit(1);
        }
    }

    private static void run(String home, Path config) throws Exception {
        Class<?> logging = Class.forName("org.elasticsearch.common.logging.LogConfigurator");
        call(logging, null, "configureESLogging");
        Supplier<String> nodeName = () -> "perflog";
        Class<?> preparer = Class.forName("org.elasticsearch.node.InternalSettingsPreparer");
        Class<?> settings = Class.forName("org.elasticsearch.common.settings.Settings");
        Object empty = settings.getField("EMPTY").get(null);
        Object environment = call(preparer, null, "prepareEnvironment", empty, Map.of("path.home", home), config, nodeName);
        call(logging, null, "configure", environment, true);
        Object node = newNode(environment, loadModules(environment));
        closeAtExit((Closeable) node);
        call(node.getClass(), node, "start");
        new CountDownLatch(1).await();
    }

    private static Object loadModules(Object environment) throws Exception {
        Class<?> loader = Class.forName("org.elasticsearch.plugins.PluginsLoader");
        Object folder = call(environment.getClass(), environment, "modulesDir");
        boolean isVersion9 = has(loader, "loadModulesBundles", 2);
        Object bundles = isVersion9
            ? call(loader, null, "loadModulesBundles", folder, true)
            : call(loader, null, "loadModulesBundles", folder);
        return call(loader, null, "createPluginsLoader", bundles, Set.of(), Map.of());
    }

    private static Object newNode(Object environment, Object loader) throws Exception {
        Class<?> node = Class.forName("org.elasticsearch.node.Node");
        return node.getConstructor(environment.getClass(), loader.getClass()).newInstance(environment, loader);
    }

    /** Without it SIGTERM would leave the translog unsynced and the node's lock behind. */
    private static void closeAtExit(Closeable node) {
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            try {
                node.close();
            } catch (Exception trouble) {
                trouble.printStackTrace();
            }
        }, "close-node"));
    }

    private static Object call(Class<?> type, Object target, String name, Object... arguments) throws Exception {
        return find(type, name, arguments.length).invoke(target, arguments);
    }

    private static boolean has(Class<?> type, String name, int parameters) {
        return methods(type, name, parameters).findAny().isPresent();
    }

    private static Method find(Class<?> type, String name, int parameters) {
        return methods(type, name, parameters)
            .findFirst()
            .orElseThrow(() -> new IllegalStateException(type + " has no " + name + "/" + parameters));
    }

    private static Stream<Method> methods(Class<?> type, String name, int parameters) {
        return Arrays.stream(type.getMethods())
            .filter(m -> m.getName().equals(name) && m.getParameterCount() == parameters);
    }
}
