//! Where an installation is, as commands are told that work on both forms.

use std::path::{Path, PathBuf};

use clap::Args;

/// Which installation.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Place {
    /// The data folder of an embedded installation; `serve` may be running.
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The name of an installation on AWS (the stack's parameter Installation), asked by the `aws` command.
    #[arg(long, value_name = "INSTALLATION")]
    pub aws: Option<String>,
}

/// A form of Countersign, with what finds the installation there.
#[derive(Clone, Copy, Debug)]
pub enum Form<'a> {
    /// One process on one data folder.
    Embedded(&'a Path),
    /// Functions on AWS, by the installation's name.
    Cloud(&'a str),
}

impl Form<'_> {
    /// The argument that names the installation, as a hint shows it.
    #[must_use]
    pub fn argument(&self) -> String {
        match self {
            Self::Embedded(_) => "--data DIR".to_owned(),
            Self::Cloud(installation) => format!("--aws {installation}"),
        }
    }
}

impl Place {
    /// The one that was given: the arguments demand it.
    #[must_use]
    pub fn form(&self) -> Form<'_> {
        match (&self.data, &self.aws) {
            (Some(data), _) => Form::Embedded(data),
            (None, installation) => Form::Cloud(installation.as_deref().unwrap_or_default()),
        }
    }
}
