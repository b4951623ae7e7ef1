#include "protocol/scram_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <rapidcheck/gtest.h>

#include <stdexcept>

#include "protocol/authentication_error.hpp"
#include "protocol/base64.hpp"
#include "protocol/password_auth.hpp"
#include "tests/protocol/recorded.hpp"
#include "tests/protocol/scram_at_once.hpp"

namespace pgcourier::protocol {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view nonce = "rOprNGfwEbeRWgbNEkqO";
constexpr std::string_view server_first =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

TEST(ScramProof, AgreesWithRfc7677) {
  const auto salt = decode_base64("W22ZaJ0SNY7soEsUEjb6gQ==");
  ASSERT_TRUE(salt);
  const auto proof =
      scram_proof_at_once("pencil", *salt, 4096,
                          "n=user,r=rOprNGfwEbeRWgbNEkqO," + std::string(server_first) +
                              ",c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
  EXPECT_EQ(encode_base64(proof.client_proof), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_EQ(encode_base64(proof.server_signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

TEST(PasswordSalting, IsTheSameInAnyParts) {
  for (const std::uint32_t iterations : {1U, 2U, 7U, 100U}) {
    std::string expected(32, '\0');
    ASSERT_EQ(PKCS5_PBKDF2_HMAC("pencil", 6, reinterpret_cast<const unsigned char*>("salt"), 4,
                                static_cast<int>(iterations), EVP_sha256(), 32,
                                reinterpret_cast<unsigned char*>(expected.data())),
              1);
    for (const std::uint32_t part : {1U, 3U, 1'000U}) {
      PasswordSalting salting("pencil", "salt", iterations);
      for (std::uint32_t done = 1 + part; !salting.advance(part); done += part) {
        EXPECT_LT(done, iterations);
      }
      EXPECT_EQ(salting.salted_password(), expected) << iterations << " by " << part;
    }
  }
}

ScramClient client(ChannelBinding binding = ChannelBinding::unsupported()) {
  return {"pencil", nonce, std::move(binding)};
}

TEST(ScramClient, SaysWhatItDoesAboutChannelBinding) {
  EXPECT_EQ(client().client_first(), "n,,n=,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(client().mechanism(), "SCRAM-SHA-256");
  EXPECT_EQ(client(ChannelBinding::not_offered()).client_first(), "y,,n=,r=rOprNGfwEbeRWgbNEkqO");
  auto bound = client(ChannelBinding::tls_server_end_point("hash"));
  EXPECT_EQ(bound.client_first(), "p=tls-server-end-point,,n=,r=rOprNGfwEbeRWgbNEkqO");
  EXPECT_EQ(bound.mechanism(), "SCRAM-SHA-256-PLUS");
  EXPECT_THAT(client_final_at_once(bound, server_first),
              StartsWith("c=" + encode_base64("p=tls-server-end-point,,hash") + ",r="));
}

TEST(ScramClient, AcceptsAServerThatKnowsThePassword) {
  auto scram = client();
  scram.client_first();
  const auto final = client_final_at_once(scram, server_first);
  const auto salt = decode_base64("W22ZaJ0SNY7soEsUEjb6gQ==");
  const auto proof = scram_proof_at_once("pencil", *salt, 4096,
                                         "n=,r=rOprNGfwEbeRWgbNEkqO," + std::string(server_first) +
                                             ',' + final.substr(0, final.find(",p=")));
  EXPECT_THAT(final, testing::EndsWith(",p=" + encode_base64(proof.client_proof)));
  EXPECT_FALSE(scram.verified());
  scram.verify("v=" + encode_base64(proof.server_signature));
  EXPECT_TRUE(scram.verified());
}

TEST(ScramClient, RefusesAServerThatDoesNot) {
  auto scram = client();
  scram.client_first();
  client_final_at_once(scram, server_first);
  EXPECT_THROW(scram.verify("v=" + encode_base64(std::string(32, 'x'))), AuthenticationError);
  EXPECT_THROW(scram.verify("v=" + encode_base64("short")), AuthenticationError);
  EXPECT_FALSE(scram.verified());
}

TEST(ScramClient, TellsTheServersRefusal) {
  auto scram = client();
  scram.client_first();
  client_final_at_once(scram, server_first);
  EXPECT_THAT(tests::message_of<AuthenticationError>([&] { scram.verify("e=invalid-proof\n"); }),
              HasSubstr("refused: invalid-proof?"));
}

TEST(ScramClient, RefusesServerFirstMessagesThatCannotBe) {
  const std::string good_nonce = "r=rOprNGfwEbeRWgbNEkqOmore";
  for (const std::string& message : {
           std::string(),
           std::string("r="),
           good_nonce,
           good_nonce + ",s=QUJD",
           good_nonce + ",s=QUJD,i=",
           good_nonce + ",s=QUJD,i=0",
           good_nonce + ",s=QUJD,i=-1",
           good_nonce + ",s=QUJD,i=10000001",
           good_nonce + ",s=QUJD,i=99999999999",
           good_nonce + ",s=QUJD,i=4096x",
           good_nonce + ",s=QUJD,i=4096,",
           good_nonce + ",s=QUJD,i=4096,x=y",
           good_nonce + ",s=,i=4096",
           good_nonce + ",s=QUJ,i=4096",
           good_nonce + ",s=QU JD,i=4096",
           good_nonce + ",i=4096,s=QUJD",
           "m=ext," + good_nonce + ",s=QUJD,i=4096",
           std::string("r=rOprNGfwEbeRWgbNEkqO,s=QUJD,i=4096"),   // nothing added to ours
           std::string("r=rOprNGfwEbeRWgbNEkqP1,s=QUJD,i=4096"),  // not ours
           std::string("r=rOprNGfwEbeRWgbNEkqO\n,s=QUJD,i=4096"),
       }) {
    auto scram = client();
    scram.client_first();
    EXPECT_THROW(client_final_at_once(scram, message), ProtocolError) << message;
  }
}

TEST(ScramClient, RefusesServerFinalMessagesThatCannotBe) {
  auto scram = client();
  scram.client_first();
  client_final_at_once(scram, server_first);
  for (const auto* message : {"", "v", "x=1", "v=!", "v=QUJD,x=y", "v=QUJD,"}) {
    EXPECT_THROW(scram.verify(message), ProtocolError) << message;
  }
}

TEST(ScramClient, RefusesToWorkOutOfOrder) {
  auto scram = client();
  EXPECT_THROW(client_final_at_once(scram, server_first), ProtocolError);
  EXPECT_THROW(scram.verify("v=QUJD"), ProtocolError);
  scram.client_first();
  EXPECT_THROW(scram.verify("v=QUJD"), ProtocolError);
  EXPECT_THROW(scram.client_final("salted"), std::logic_error);
  client_final_at_once(scram, server_first);
  EXPECT_THROW(client_final_at_once(scram, server_first), ProtocolError);
  EXPECT_THROW(scram.client_final("salted"), std::logic_error);
}

TEST(ScramClient, RefusesANonceThatIsNone) {
  for (const auto* bad : {"", "a,b", "a b", "ä"}) {
    EXPECT_THROW(ScramClient("p", bad, ChannelBinding::unsupported()), std::invalid_argument)
        << bad;
  }
  EXPECT_THROW(ChannelBinding::tls_server_end_point(""), std::invalid_argument);
}

TEST(Base64, AgreesWithRfc4648) {
  EXPECT_EQ(encode_base64(""), "");
  EXPECT_EQ(encode_base64("f"), "Zg==");
  EXPECT_EQ(encode_base64("fo"), "Zm8=");
  EXPECT_EQ(encode_base64("foo"), "Zm9v");
  EXPECT_EQ(encode_base64("foob"), "Zm9vYg==");
}

TEST(Base64, TakesOnlyTheCanonicalForm) {
  for (const auto* text :
       {"Zg", "Zg=", "Zg===", "Zh==", "Z", "=", "Zm9v=", "Zm 9v", "Zm9v\n", "Zg==Zg==", "Zm9-"}) {
    EXPECT_EQ(decode_base64(text), std::nullopt) << text;
  }
}

RC_GTEST_PROP(Base64, ComesBack, (const std::string& bytes)) {
  RC_ASSERT(decode_base64(encode_base64(bytes)) == bytes);
}

TEST(Md5Password, IsSaltedTwice) {
  // SELECT 'md5' || md5(md5('pencil' || 'me') || 'salt')
  EXPECT_EQ(md5_password("pencil", "me", "salt"), "md58d3428d144a1e8453484b4ee8bb330e9");
}

}  // namespace
}  // namespace pgcourier::protocol
