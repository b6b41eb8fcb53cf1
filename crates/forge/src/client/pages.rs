//! Lists that come in pages: by the `Link` header (RFC 8288), or, where a forge only counts, by number.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;

use super::answer::Answer;
use super::failure::Failure;
use super::{Call, Client};
use crate::host::Token;

/// A list, as far as it was read.
#[derive(Debug)]
pub(crate) struct List<T> {
    /// Its items.
    pub(crate) items: Vec<T>,
    /// Whether that is all of them.
    pub(crate) complete: bool,
}

impl Client {
    /// The whole of a list, which has at most `pages` pages.
    ///
    /// # Errors
    /// When it has more: what would be left out could be what matters.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        token: &Token,
        call: &Call<'_>,
        pages: usize,
    ) -> Result<Vec<T>, Failure> {
        let list = self.list(token, call, pages).await?;
        if list.complete {
            return Ok(list.items);
        }
        Err(Failure::Final(format!(
            "{} {}: more than {pages} pages, which are not read: nothing is decided on a part",
            call.method,
            super::shown(&self.url(call, None))
        )))
    }

    /// The first `pages` pages of a list.
    ///
    /// # Errors
    /// When a page cannot be read, or leads back to one that was read.
    pub(crate) async fn list<T: DeserializeOwned>(
        &self,
        token: &Token,
        call: &Call<'_>,
        pages: usize,
    ) -> Result<List<T>, Failure> {
        // Some forges write an empty list as null.
        self.list_of(token, call, pages, |items: Option<Vec<T>>| items.unwrap_or_default()).await
    }

    /// As [`Self::list`], where a page is more than its `items`.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub(crate) async fn list_of<P: DeserializeOwned, T>(
        &self,
        token: &Token,
        call: &Call<'_>,
        pages: usize,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<List<T>, Failure> {
        let mut list = List { items: Vec::new(), complete: false };
        let mut unread = self.pages(token, call.clone());
        for _ in 0..pages {
            match unread.next(&items).await? {
                Some(found) => list.items.extend(found),
                None => break,
            }
        }
        list.complete = unread.over;
        Ok(list)
    }

    /// A list that is read page by page, as far as it is needed.
    pub(crate) fn pages<'a>(&'a self, token: &'a Token, call: Call<'a>) -> Pages<'a> {
        Pages { client: self, token, call, page: 1, query: None, seen: BTreeSet::new(), read: 0, over: false }
    }

    /// The call's query with the number of a page.
    fn numbered(&self, call: &Call<'_>, page: usize) -> String {
        let url = self.url(&call.clone().with("page", page), None);
        url.query().unwrap_or_default().to_owned()
    }
}

/// The pages of a list that are not read yet.
pub(crate) struct Pages<'a> {
    client: &'a Client,
    token: &'a Token,
    call: Call<'a>,
    /// The number of the next page, and its query where it is not the first.
    page: usize,
    query: Option<String>,
    seen: BTreeSet<String>,
    read: usize,
    over: bool,
}

impl Pages<'_> {
    /// The next page's `items`; none where there is no more.
    ///
    /// # Errors
    /// When it cannot be read, or leads back to one that was read.
    pub(crate) async fn next<P: DeserializeOwned, T>(
        &mut self,
        items: impl Fn(P) -> Vec<T>,
    ) -> Result<Option<Vec<T>>, Failure> {
        if self.over {
            return Ok(None);
        }
        let answer = self.client.answer(self.token, &self.call, self.query.as_deref()).await?;
        let found = items(answer.json::<P>()?);
        self.read += found.len();
        self.page += 1;
        self.query = match next(&answer) {
            Some(next) => Some(next),
            None if !found.is_empty() && is_partial(&answer, self.read) => {
                Some(self.client.numbered(&self.call, self.page))
            }
            None => None,
        };
        match &self.query {
            None => self.over = true,
            Some(query) if !self.seen.insert(query.clone()) => {
                return Err(Failure::Final(format!(
                    "{}: its pages lead back to each other: the list cannot be read",
                    answer.what()
                )));
            }
            Some(_) => {}
        }
        Ok(Some(found))
    }
}

/// Whether the forge counts more than was read.
fn is_partial(answer: &Answer, read: usize) -> bool {
    let total = answer.header("x-total-count").and_then(|total| total.parse::<usize>().ok());
    answer.links().is_none() && total.is_some_and(|total| total > read)
}

/// The query of the next page. Its host is not looked at: the page is asked for where the first one was.
fn next(answer: &Answer) -> Option<String> {
    let mut links = answer.links()?.split('<').skip(1).filter_map(|link| link.split_once('>'));
    let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
    let (target, _) = links.find(|(_, parameters)| parameters.split([';', ',']).any(is_next))?;
    Some(target.split_once('?')?.1.split('#').next()?.to_owned())
}
