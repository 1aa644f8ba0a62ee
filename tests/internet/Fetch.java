import java.io.FileInputStream;
import java.net.ProxySelector;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.KeyStore;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Prints what it gets from a URL. Java knows nothing of SSL_CERT_FILE and HTTPS_PROXY: they are handed to it. */
public class Fetch {
    public static void main(String[] args) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null);
        int number = 0;
        try (FileInputStream file = new FileInputStream(System.getenv("SSL_CERT_FILE"))) {
            for (Certificate certificate : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                store.setCertificateEntry("authority" + number++, certificate);
            }
        }
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        HttpClient.Builder client = HttpClient.newBuilder().sslContext(context);
        String proxy = System.getenv("HTTPS_PROXY");
        if (proxy != null) {
            URI at = URI.create(proxy);
            client.proxy(ProxySelector.of(new InetSocketAddress(at.getHost(), at.getPort())));
        }
        HttpRequest request = HttpRequest.newBuilder(URI.create(args[0])).build();
        System.out.print(client.build().send(request, HttpResponse.BodyHandlers.ofString()).body());
    }
}
