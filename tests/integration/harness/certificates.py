"""Certificates for the tests, made by openssl: two authorities, a server's, a client's, two CRLs, each in a folder too."""
import subprocess

CONFIG = """
[ca]
default_ca = authority
[authority]
database = {folder}/index.txt
default_md = sha256
default_crl_days = 30
[server]
subjectAltName = DNS:localhost, DNS:*.wild.test, IP:127.0.0.1, IP:::1
[client]
extendedKeyUsage = clientAuth
"""


def make(folder):
    folder.mkdir()
    config = folder / "openssl.cnf"
    config.write_text(CONFIG.format(folder=folder))
    (folder / "index.txt").touch()

    def openssl(*arguments):
        subprocess.run(["openssl", *[str(word) for word in arguments]], check=True, cwd=folder,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def authority(name):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", 30, "-subj", f"/CN={name}",
                "-keyout", f"{name}.key", "-out", f"{name}.crt")

    def signed(name, common_name, extensions):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={common_name}",
                "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "root.crt", "-CAkey", "root.key", "-CAcreateserial",
                "-days", 30, "-extfile", config, "-extensions", extensions, "-out", f"{name}.crt")

    authority("root")
    authority("other_root")
    signed("server", "localhost", "server")
    signed("client", "cert_user", "client")
    openssl("rsa", "-aes256", "-in", "client.key", "-out", "client_locked.key", "-passout", "pass:sesame")
    for key in folder.glob("*.key"):
        key.chmod(0o600)
    (folder / "client_open.key").write_bytes((folder / "client.key").read_bytes())
    (folder / "client_open.key").chmod(0o644)

    def revocations(name):
        """NAME.crl, and the folder NAME with it in the form that OpenSSL looks for."""
        openssl("ca", "-config", config, "-gencrl", "-keyfile", "root.key", "-cert", "root.crt", "-out", f"{name}.crl")
        issuer = subprocess.run(["openssl", "crl", "-hash", "-noout", "-in", f"{name}.crl"], check=True, cwd=folder,
                                stdout=subprocess.PIPE, text=True).stdout.strip()
        (folder / name).mkdir()
        (folder / name / f"{issuer}.r0").write_bytes((folder / f"{name}.crl").read_bytes())

    revocations("nothing_revoked")
    openssl("ca", "-config", config, "-revoke", "server.crt", "-keyfile", "root.key", "-cert", "root.crt")
    revocations("server_revoked")
    return folder
