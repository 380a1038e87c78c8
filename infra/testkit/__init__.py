"""What the tests of the AWS environment share: synthesis, moto's server, readings of templates."""
