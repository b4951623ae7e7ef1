// A server that agrees to GSSAPI, or asks for it, and then says something else. Only a KDC's
// servers can be honest here (live_gss_test.cpp); but a ticket, which only its server can read, may
// be made up, so we go as far as the server's first token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "protocol/authentication_error.hpp"
#include "tests/replication/run_awaitable.hpp"
#include "tests/replication/scripted_server.hpp"

namespace pgcourier::replication {
namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

using test::big_endian;
using test::message;
using test::Peer;
using test::ScriptedServer;
using testing::HasSubstr;

constexpr auto realm = "PGCOURIER.TEST";

std::string der(int tag, const std::string& content) {
  std::string bytes(1, static_cast<char>(tag));
  if (content.size() > 127) bytes += '\x81';
  bytes += static_cast<char>(content.size());
  return bytes + content;
}

// RFC 4120 5.3, for postgres/localhost, encrypted by nobody.
std::string made_up_ticket() {
  const std::string name = der(0xa0, der(2, "\2")) +
                           der(0xa1, der(0x30, der(0x1b, "postgres") + der(0x1b, "localhost")));
  const std::string encrypted = der(0xa0, der(2, "\x12")) + der(0xa2, der(4, std::string(60, 'x')));
  return der(0x61, der(0x30, der(0xa0, der(2, "\5")) + der(0xa1, der(0x1b, realm)) +
                                 der(0xa2, der(0x30, name)) + der(0xa3, der(0x30, encrypted))));
}

std::string counted(const std::string& bytes) {
  return big_endian(static_cast<std::uint32_t>(bytes.size())) + bytes;
}

std::string principal(const std::vector<std::string>& components) {
  std::string bytes = big_endian(1) + big_endian(static_cast<std::uint32_t>(components.size()));
  bytes += counted(realm);
  for (const auto& component : components) bytes += counted(component);
  return bytes;
}

// MIT's file format of a credential cache, version 4.
std::string credential_cache() {
  const std::string client = principal({"u"});
  const std::string session_key = "\0\x12"s + counted(std::string(32, 'k'));  // aes256-cts
  const std::string until_2038 =
      big_endian(0) + big_endian(0) + big_endian(0x7fffffff) + big_endian(0);
  const std::string neither_flags_nor_addresses_nor_data = std::string(1 + 4 + 4 + 4, '\0');
  return "\5\4\0\0"s + client + client + principal({"postgres", "localhost"}) + session_key +
         until_2038 + neither_flags_nor_addresses_nor_data + counted(made_up_ticket()) +
         counted("");
}

class HostileGss : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "krb5.conf")
        << "[libdefaults]\ndefault_realm = " << realm
        << "\ndns_lookup_kdc = false\ndns_canonicalize_hostname = false\nrdns = false\n"
        << "[domain_realm]\nlocalhost = " << realm << "\n";
    std::ofstream(folder_ / "ccache", std::ios::binary) << credential_cache();
    std::filesystem::permissions(folder_ / "ccache", std::filesystem::perms(0600));
    ::setenv("KRB5_CONFIG", (folder_ / "krb5.conf").c_str(), 1);
    use_tickets("ccache");
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    for (const char* name : {"KRB5_CONFIG", "KRB5CCNAME"}) ::unsetenv(name);
  }
  void use_tickets(const std::string& name) const {
    ::setenv("KRB5CCNAME", ("FILE:" + (folder_ / name).string()).c_str(), 1);
  }

  // What Connection::open() says of this server.
  static std::string error_of(const ScriptedServer::Script& script, config::GssEncMode mode) {
    ScriptedServer server({script});
    auto target = server.target();
    target.hosts[0].name = "localhost";
    target.hosts[0].address = "127.0.0.1";
    target.gss_enc_mode = mode;
    target.connect_timeout = 200ms;
    asio::io_context io;
    Connection connection(io, 1024 * 1024);
    const auto begin = std::chrono::steady_clock::now();
    std::string error;
    try {
      test::run(io, connection.open(target, Purpose::sql, {}));
    } catch (const ConnectionError& failure) {
      error = failure.what();
    } catch (const protocol::ProtocolError& failure) {
      error = failure.what();
    } catch (const protocol::AuthenticationError& failure) {
      error = failure.what();
    }
    EXPECT_NE(error, "") << "it was opened";
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 3s) << error;
    return error;
  }

 private:
  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("hostile-gss-" + std::to_string(::getpid()));
};

// A server that takes our first token and then does something with the connection.
ScriptedServer::Script after_token(
    const std::function<void(Peer&, const std::string& packet)>& act) {
  return [=](Peer& peer) {
    peer.read_untyped();
    peer.send("G");
    const std::string length = peer.read(4);
    if (length.size() < 4) return;
    const std::size_t size =
        static_cast<unsigned char>(length[2]) * 256U + static_cast<unsigned char>(length[3]);
    const std::string token = peer.read(size);
    EXPECT_THAT(token, HasSubstr("postgres"));
    act(peer, length + token);
  };
}

TEST_F(HostileGss, SpoilsTheFirstPacketOfEncryption) {
  const auto ends_with = [&](const std::string& bytes, bool stays) {
    return error_of(after_token([&](Peer& peer, const std::string&) {
                      peer.send(bytes);
                      if (stays) peer.wait_end(5s);
                    }),
                    config::GssEncMode::require);
  };
  const std::string failed = "GSSAPI with postgres@localhost failed";
  const std::string closed = "does it have the key of its principal";
  const std::string too_long = "more than the limit of 65532";
  for (const std::string& token : {"nonsense"s, "\x60\x03\x06\x01\x2a"s, std::string(1000, '\0'),
                                   std::string(65532, '\xff')}) {
    EXPECT_THAT(ends_with(counted(token), true), HasSubstr(failed)) << token.substr(0, 20);
    for (const std::size_t cut :
         {std::size_t{0}, std::size_t{1}, std::size_t{4}, token.size() + 3}) {
      const std::string begun = counted(token).substr(0, cut);
      EXPECT_THAT(ends_with(begun, false), HasSubstr(closed)) << cut;
      EXPECT_THAT(ends_with(begun, true), HasSubstr("connect_timeout")) << cut;
    }
  }
  EXPECT_THAT(ends_with(counted(""), true), HasSubstr(failed));
  for (const std::string& unframed :
       {big_endian(65533), big_endian(0xffffffff), test::welcome(),
        test::error_response("FATAL", "28000"), "\x16\x03\x03\0\x05hello"s}) {
    EXPECT_THAT(ends_with(unframed, true), HasSubstr(too_long)) << unframed.substr(0, 1);
  }
}

TEST_F(HostileGss, SendsOurOwnPacketBack) {
  EXPECT_THAT(error_of(after_token([](Peer& peer, const std::string& packet) {
                         peer.send(packet);
                         peer.wait_end(5s);
                       }),
                       config::GssEncMode::require),
              HasSubstr("GSSAPI with postgres@localhost failed"));
}

TEST_F(HostileGss, ResetsAndDrips) {
  EXPECT_THAT(error_of(after_token([](Peer& peer, const std::string&) { peer.reset_at_close(); }),
                       config::GssEncMode::require),
              HasSubstr("Connection reset"));
  EXPECT_THAT(error_of(after_token([](Peer& peer, const std::string&) {
                         do peer.send({'\0'});
                         while (!peer.wait_end(20ms));
                       }),
                       config::GssEncMode::require),
              testing::AnyOf(HasSubstr("connect_timeout"), HasSubstr("failed")));
}

// Asks for GSSAPI authentication, and answers our token with `bytes`.
ScriptedServer::Script asks_then_says(const std::string& bytes) {
  return [=](Peer& peer) {
    peer.read_untyped();
    peer.send(message('R', big_endian(7)));
    peer.read_message();
    peer.send(bytes);
    peer.wait_end(5s);
  };
}

TEST_F(HostileGss, SpoilsTheAuthentication) {
  const auto error_after = [](const std::string& bytes) {
    return error_of(asks_then_says(bytes), config::GssEncMode::disable);
  };
  for (const std::string& token : {"nonsense"s, ""s, "\x60\x03\x06\x01\x2a"s}) {
    EXPECT_THAT(error_after(message('R', big_endian(8) + token)), HasSubstr("GSSAPI with"));
  }
  EXPECT_THAT(error_after(test::welcome()), HasSubstr("GSSAPI cut short"));
  EXPECT_THAT(error_after(test::ready_for_query()), HasSubstr("before AuthenticationOk"));
  for (const std::uint32_t request : {3U, 7U, 10U}) {
    const std::string mechanisms = request == 10 ? "SCRAM-SHA-256\0\0"s : "";
    EXPECT_THAT(error_after(message('R', big_endian(request) + mechanisms)),
                HasSubstr("a second request for authentication"));
  }
  EXPECT_THAT(error_after(""), HasSubstr("connect_timeout"));
}

TEST_F(HostileGss, AsksAClientWithoutACredential) {
  use_tickets("nowhere");
  EXPECT_THAT(error_of(asks_then_says(""), config::GssEncMode::disable), HasSubstr("GSSAPI"));
  EXPECT_THAT(
      error_of([](Peer& peer) { EXPECT_EQ(peer.read_untyped(), ""); }, config::GssEncMode::require),
      HasSubstr("no Kerberos credential"));
}

}  // namespace
}  // namespace pgcourier::replication
